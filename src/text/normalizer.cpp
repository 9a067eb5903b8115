#include "text/normalizer.h"

#include "text/unicode.h"

namespace quern::text {

namespace {
class NormalFormNormalizer : public Normalizer {
 public:
  explicit NormalFormNormalizer(NormalForm form) : form_(form) {}

  // Works on stretches that start a new combining sequence, so that offsets stay close and unchanged text is
  // kept.
  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    if (normalize(text, form_) == text) return;
    Edit edit = segment.edit();
    while (edit.position() < text.size()) {
      const std::string_view rest = text.substr(edit.position());
      const uint32_t length = stretch(rest);
      const std::string_view part = rest.substr(0, length);
      const std::string normal = normalize(part, form_);
      const uint32_t end = edit.position() + length;
      if (normal == part) {
        edit.keep(end);
      } else {
        edit.replace(end, normal);
      }
    }
    segment.apply(std::move(edit));
  }

 private:
  static uint32_t stretch(std::string_view text) {
    uint32_t length = decode_utf8(text).length;
    while (length < text.size()) {
      const Decoded next = decode_utf8(text.substr(length));
      if (is_normalization_boundary(next.code_point)) break;
      length += next.length;
    }
    return length;
  }
  NormalForm form_;
};

class LowercaseNormalizer : public Normalizer {
 public:
  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    Edit edit = segment.edit();
    std::string lower;
    for (uint32_t at = 0; at < text.size();) {
      const Decoded step = decode_utf8(text.substr(at));
      lower.clear();
      append_lowercase(lower, step.code_point);
      if (lower != text.substr(at, step.length)) {
        edit.keep(at);
        edit.replace(at + step.length, lower);
      }
      at += step.length;
    }
    segment.apply(std::move(edit));
  }
};

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(Regex pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(Segment& segment) const override {
    Edit edit = segment.edit();
    const std::string_view text = segment.text();
    pattern_.for_each(text, {0, static_cast<uint32_t>(text.size())}, [&](Span match) {
      edit.keep(match.begin);
      edit.replace(match.end, content_);
    });
    segment.apply(std::move(edit));
  }

 private:
  Regex pattern_;
  std::string content_;
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
      const Decoded step = decode_utf8(text.substr(at));
      at += step.length;
      if (is_space(step.code_point)) continue;
      if (!seen) begin = at - step.length;
      seen = true;
      end = at;
    }
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

constexpr std::string_view kKnown = "NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip, Sequence";

Result<std::unique_ptr<Normalizer>> make_normalizer(const Fields& fields) {
  using Made = std::unique_ptr<Normalizer>;
  QUERN_TRY(const std::string type, fields.type());
  if (type == "NFC") return Made(std::make_unique<NormalFormNormalizer>(NormalForm::nfc));
  if (type == "NFD") return Made(std::make_unique<NormalFormNormalizer>(NormalForm::nfd));
  if (type == "NFKC") return Made(std::make_unique<NormalFormNormalizer>(NormalForm::nfkc));
  if (type == "NFKD") return Made(std::make_unique<NormalFormNormalizer>(NormalForm::nfkd));
  if (type == "Lowercase") return Made(std::make_unique<LowercaseNormalizer>());
  if (type == "Replace") {
    QUERN_TRY(const PatternField field, fields.pattern("pattern"));
    QUERN_TRY(Regex pattern, field.compile());
    QUERN_TRY(std::string content, fields.string("content"));
    return Made(std::make_unique<ReplaceNormalizer>(std::move(pattern), std::move(content)));
  }
  if (type == "Prepend") {
    QUERN_TRY(std::string prefix, fields.string("prepend"));
    return Made(std::make_unique<PrependNormalizer>(std::move(prefix)));
  }
  if (type == "Strip") {
    QUERN_TRY(const bool left, fields.flag("strip_left", true));
    QUERN_TRY(const bool right, fields.flag("strip_right", true));
    return Made(std::make_unique<StripNormalizer>(left, right));
  }
  return fields.unsupported(type, kKnown);
}
}  // namespace

Result<Normalizers> make_normalizers(const Json& component) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("normalizer", component, "normalizers"));
  Normalizers normalizers;
  for (const Fields& fields : list) {
    QUERN_TRY(auto normalizer, make_normalizer(fields));
    normalizers.push_back(std::move(normalizer));
  }
  return normalizers;
}

}  // namespace quern::text
