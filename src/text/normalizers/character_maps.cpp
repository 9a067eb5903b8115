// Lowercase, StripAccents and Nmt: one character at a time.
#include "text/normalizers/factories.h"
#include "text/normalizers/per_character.h"
#include "text/reference_sets.h"

namespace quern::text {

namespace {
bool lowercase(char32_t cp, std::string& out) {
  if (cp < 0x80) {
    if (cp < 'A' || cp > 'Z') return false;
    out.push_back(static_cast<char>(cp | 0x20));
    return true;
  }
  std::string same;
  append_utf8(same, cp);
  append_lowercase(out, cp);
  return out != same;
}

bool strip_accents(char32_t cp, std::string&) { return cp >= 0x300 && is_combining_mark(cp); }

// The character cleaning of Google's NMT systems, as SentencePiece defines it.
bool clean_nmt(char32_t cp, std::string& out) {
  const bool dropped = (cp >= 1 && cp <= 8) || cp == 0xB || (cp >= 0xE && cp <= 0x1F) || cp == 0x7F ||
                       cp == 0x8F || cp == 0x9F;
  if (dropped) return true;
  switch (cp) {
    case '\t':
    case '\n':
    case '\f':
    case '\r':
    case 0x1680:
    case 0x200B:
    case 0x200C:
    case 0x200D:
    case 0x200E:
    case 0x200F:
    case 0x2028:
    case 0x2029:
    case 0x2581:
    case 0xFEFF:
    case 0xFFFD:
      out.push_back(' ');
      return true;
    default:
      return false;
  }
}

template <bool (*kMap)(char32_t, std::string&)>
class CharacterNormalizer : public Normalizer {
 public:
  void apply(Segment& segment) const override {
    map_characters(segment, [](char32_t cp, std::string& out) { return kMap(cp, out); });
  }
};

template <bool (*kMap)(char32_t, std::string&)>
std::unique_ptr<Normalizer> make() {
  return std::make_unique<CharacterNormalizer<kMap>>();
}
}  // namespace

Result<std::unique_ptr<Normalizer>> make_lowercase(const Fields&) { return make<lowercase>(); }
Result<std::unique_ptr<Normalizer>> make_strip_accents(const Fields&) { return make<strip_accents>(); }
Result<std::unique_ptr<Normalizer>> make_nmt(const Fields&) { return make<clean_nmt>(); }

}  // namespace quern::text
