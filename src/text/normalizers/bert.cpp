// BertNormalizer: the text cleaning of BERT's basic tokenizer (Devlin et al., 2019).
#include <algorithm>
#include <array>

#include "text/normalizers/factories.h"
#include "text/normalizers/normal_form.h"
#include "text/normalizers/per_character.h"
#include "text/reference_sets.h"

namespace quern::text {

namespace {
// The CJK blocks, with the gap that the published tokenizers have in extension E.
constexpr bool is_chinese(char32_t cp) {
  return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
         (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B73F) ||
         (cp >= 0x2B740 && cp <= 0x2B81F) || (cp >= 0x2B920 && cp <= 0x2CEAF) ||
         (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

bool clean(char32_t cp, std::string& out) {
  if (cp >= 0x21 && cp < 0x7F) return false;
  if (is_bert_control(cp)) return true;
  if (!is_space(cp) || cp == ' ') return false;
  out.push_back(' ');
  return true;
}

bool space_out(char32_t cp, std::string& out) {
  if (!is_chinese(cp)) return false;
  out.push_back(' ');
  append_utf8(out, cp);
  out.push_back(' ');
  return true;
}

bool drop_accent(char32_t cp, std::string&) { return cp >= 0x300 && is_bert_accent(cp); }

bool lower(char32_t cp, std::string& out) {
  if (cp < 0x80 && (cp < 'A' || cp > 'Z')) return false;
  append_lowercase(out, cp);
  return true;
}

class BertNormalizer : public Normalizer {
 public:
  BertNormalizer(bool clean_text, bool space_chinese, bool strip_accents, bool lowercase)
      : clean_text_(clean_text),
        space_chinese_(space_chinese),
        strip_accents_(strip_accents),
        lowercase_(lowercase),
        ascii_(ascii_table()) {}

  // Only cleaning and case concern ASCII, so that stretches of it are quick. The others stand for themselves: no step
  // looks across a boundary to ASCII.
  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    if (segment.tracked()) return apply_steps(segment);
    Edit edit = segment.edit();
    while (edit.position() < text.size()) {
      const auto rest = text.begin() + edit.position();
      const auto end = std::find_if_not(rest, text.end(), is_ascii);
      if (end == rest) {
        const auto ascii = std::find_if(rest, text.end(), is_ascii);
        Segment part({rest, ascii}, 1, false);
        apply_steps(part);
        edit.replace(static_cast<uint32_t>(ascii - text.begin()), part.text());
        continue;
      }
      for (auto at = rest; at != end;) {
        const auto dropped = std::find_if(at, end, [this](char c) { return is_dropped(c); });
        edit.map_ascii(static_cast<uint32_t>(dropped - text.begin()), ascii_);
        at = dropped == end ? end : dropped + 1;
        edit.replace(static_cast<uint32_t>(at - text.begin()), {});
      }
    }
    segment.apply(std::move(edit));
  }

 private:
  static bool is_ascii(char c) { return static_cast<int8_t>(c) >= 0; }
  bool is_dropped(char c) const { return clean_text_ && ascii_[static_cast<uint8_t>(c)] == kDropped; }

  void apply_steps(Segment& segment) const {
    if (clean_text_) map_characters(segment, clean);
    if (space_chinese_) map_characters(segment, space_out);
    if (strip_accents_) {
      apply_normal_form(segment, NormalForm::nfd);
      map_characters(segment, drop_accent);
    }
    if (lowercase_) map_characters(segment, lower);
  }

  // What becomes of each character.
  std::array<char, 128> ascii_table() const {
    std::array<char, 128> table{};
    for (char32_t cp = 0; cp < 128; ++cp) {
      std::string cleaned, lowered;
      const bool changed = clean_text_ && clean(cp, cleaned);
      char& to = table[cp];
      to = static_cast<char>(cp);
      if (changed) to = cleaned.empty() ? kDropped : cleaned[0];
      if (lowercase_ && !changed && lower(cp, lowered)) to = lowered[0];
    }
    return table;
  }

  static constexpr char kDropped = '\x7F';  // itself dropped, where anything is
  bool clean_text_, space_chinese_, strip_accents_, lowercase_;
  std::array<char, 128> ascii_;
};
}  // namespace

Result<std::unique_ptr<Normalizer>> make_bert_normalizer(const Fields& fields) {
  QUERN_TRY(const bool clean_text, fields.flag("clean_text", true));
  QUERN_TRY(const bool space_chinese, fields.flag("handle_chinese_chars", true));
  QUERN_TRY(const bool lowercase, fields.flag("lowercase", true));
  QUERN_TRY(const bool strip_accents, fields.flag("strip_accents", lowercase));
  return std::unique_ptr<Normalizer>(
      std::make_unique<BertNormalizer>(clean_text, space_chinese, strip_accents, lowercase));
}

}  // namespace quern::text
