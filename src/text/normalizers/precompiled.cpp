// Precompiled: the character map of a SentencePiece model, applied the way Hugging Face does. A grapheme cluster of
// fewer than six bytes is looked up as a whole, a longer one character by character; the shortest rule that what is
// looked up begins with replaces all of it.
#include <utf8proc.h>

#include "base/base64.h"
#include "text/charsmap.h"
#include "text/normalizers/factories.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
// Bytes of the first extended grapheme cluster of non-empty valid UTF-8.
uint32_t cluster_length(std::string_view text) {
  Decoded previous = decode_utf8(text);
  uint32_t length = previous.length;
  utf8proc_int32_t state = 0;
  while (length < text.size()) {
    const Decoded next = decode_utf8(text.substr(length));
    const bool both_ascii = previous.code_point < 0x80 && next.code_point < 0x80;
    if (both_ascii && !(previous.code_point == '\r' && next.code_point == '\n')) break;
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(previous.code_point),
                                         static_cast<utf8proc_int32_t>(next.code_point), &state)) {
      break;
    }
    length += next.length;
    previous = next;
  }
  return length;
}

class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(Charsmap map) : map_(std::move(map)) {}

  void apply(Segment& segment) const override {
    constexpr uint32_t kLongestCluster = 5;
    const std::string_view text = segment.text();
    Edit edit = segment.edit();
    for (uint32_t at = 0; at < text.size();) {
      const uint32_t end = at + cluster_length(text.substr(at));
      if (end - at > kLongestCluster || !replace(text, at, end, edit)) {
        for (uint32_t next = at; next < end;) {
          const uint32_t length = decode_utf8(text.substr(next)).length;
          replace(text, next, next + length, edit);
          next += length;
        }
      }
      at = end;
    }
    segment.apply(std::move(edit));
  }

 private:
  bool replace(std::string_view text, uint32_t begin, uint32_t end, Edit& edit) const {
    const auto match = map_.shortest(text.substr(begin, end - begin));
    if (!match) return false;
    edit.keep(begin);
    edit.replace(end, match->replacement);
    return true;
  }

  Charsmap map_;
};
}  // namespace

Result<std::unique_ptr<Normalizer>> make_precompiled(const Fields& fields) {
  QUERN_TRY(const std::string encoded, fields.string("precompiled_charsmap"));
  const auto blob = decode_base64(encoded);
  if (!blob) return fields.wrong("precompiled_charsmap", "base64");
  QUERN_TRY(Charsmap map, Charsmap::parse(*blob));
  return std::unique_ptr<Normalizer>(std::make_unique<PrecompiledNormalizer>(std::move(map)));
}

}  // namespace quern::text
