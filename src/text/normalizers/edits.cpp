// Prepend, Replace, Strip and ByteLevel: edits of the segment as a whole.
#include "text/byte_alphabet.h"
#include "text/normalizers/factories.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(const PatternField& field, Regex pattern, std::string content)
      : pattern_(std::move(pattern)),
        content_(std::move(content)),
        is_literal_(!field.is_regex && !field.text.empty()) {
    if (is_literal_) needed_ = field.text;
    if (field.is_regex && field.text == " {2,}") needed_ = "  ";
  }

  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    if (!needed_.empty() && text.find(needed_) == text.npos) return;
    Edit edit = segment.edit();
    if (is_literal_) {
      for (size_t at = text.find(needed_); at != text.npos; at = text.find(needed_, edit.position())) {
        edit.keep(static_cast<uint32_t>(at));
        edit.replace(static_cast<uint32_t>(at + needed_.size()), content_);
      }
      return segment.apply(std::move(edit));
    }
    pattern_.for_each(text, {0, static_cast<uint32_t>(text.size())}, [&](Span match) {
      edit.keep(match.begin);
      edit.replace(match.end, content_);
    });
    segment.apply(std::move(edit));
  }

 private:
  Regex pattern_;
  std::string content_;
  bool is_literal_;
  std::string needed_;  // what every match holds; empty: not known
};

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}

  void apply(Segment& segment) const override {
    if (segment.text().empty()) return;
    Edit edit = segment.edit();
    edit.insert(prefix_);
    segment.apply(std::move(edit));
  }

 private:
  std::string prefix_;
};

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}

  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    // First and last+1 position of what is not white space.
    uint32_t begin = 0, end = 0;
    bool seen = false;
    for (uint32_t at = 0; at < text.size();) {
      const auto lead = static_cast<uint8_t>(text[at]);
      if (lead > ' ' && lead < 0x7F) {
        if (!seen) begin = at;
        seen = true;
        end = ++at;
        continue;
      }
      const Decoded step = decode_utf8(text.substr(at));
      at += step.length;
      if (is_space(step.code_point)) continue;
      if (!seen) begin = at - step.length;
      seen = true;
      end = at;
    }
    if (seen && (!left_ || begin == 0) && (!right_ || end == text.size())) return;
    Edit edit = segment.edit();
    if (!seen) begin = static_cast<uint32_t>(text.size());
    if (left_) edit.replace(begin, {});
    if (right_ && end >= edit.position()) {
      edit.keep(end);
      edit.replace(static_cast<uint32_t>(text.size()), {});
    }
    segment.apply(std::move(edit));
  }

 private:
  bool left_, right_;
};

// Writes the text in the byte alphabet.
class ByteLevelNormalizer : public Normalizer {
 public:
  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    Edit edit = segment.edit();
    for (uint32_t at = 0; at < text.size(); ++at)
      edit.replace(at + 1, to_byte_characters(text.substr(at, 1)));
    segment.apply(std::move(edit));
  }
};
}  // namespace

Result<std::unique_ptr<Normalizer>> make_replace(const Fields& fields) {
  QUERN_TRY(const PatternField field, fields.pattern("pattern"));
  QUERN_TRY(Regex pattern, field.compile());
  QUERN_TRY(std::string content, fields.string("content"));
  return std::unique_ptr<Normalizer>(
      std::make_unique<ReplaceNormalizer>(field, std::move(pattern), std::move(content)));
}

Result<std::unique_ptr<Normalizer>> make_prepend(const Fields& fields) {
  QUERN_TRY(std::string prefix, fields.string("prepend"));
  return std::unique_ptr<Normalizer>(std::make_unique<PrependNormalizer>(std::move(prefix)));
}

Result<std::unique_ptr<Normalizer>> make_strip(const Fields& fields) {
  QUERN_TRY(const bool left, fields.flag("strip_left", true));
  QUERN_TRY(const bool right, fields.flag("strip_right", true));
  return std::unique_ptr<Normalizer>(std::make_unique<StripNormalizer>(left, right));
}

Result<std::unique_ptr<Normalizer>> make_byte_level_normalizer(const Fields&) {
  return std::unique_ptr<Normalizer>(std::make_unique<ByteLevelNormalizer>());
}

}  // namespace quern::text
