// Fuse, Replace and Strip: edits of each token.
#include "text/decoders/factories.h"

namespace quern::text {

namespace {
class FuseDecoder : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override { fuse(tokens); }
};

class ReplaceDecoder : public Decoder {
 public:
  ReplaceDecoder(Regex pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      std::string result;
      size_t at = 0;
      pattern_.for_each(token, {0, static_cast<uint32_t>(token.size())}, [&](Span match) {
        result.append(token, at, match.begin - at).append(content_);
        at = match.end;
      });
      token = result.append(token, at);
    }
  }

 private:
  Regex pattern_;
  std::string content_;
};

// Removes up to `start` and `stop` repetitions of a character from the ends of each token.
class StripDecoder : public Decoder {
 public:
  StripDecoder(std::string content, uint32_t start, uint32_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      std::string_view text = token;
      for (uint32_t i = 0; i < start_ && text.starts_with(content_); ++i) text.remove_prefix(content_.size());
      for (uint32_t i = 0; i < stop_ && text.ends_with(content_); ++i) text.remove_suffix(content_.size());
      token = std::string(text);
    }
  }

 private:
  std::string content_;
  uint32_t start_, stop_;
};
}  // namespace

void fuse(std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  tokens.assign(1, std::move(text));
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  size_t at = text.find(from);
  if (at == text.npos) return;
  std::string result;
  size_t done = 0;
  for (; at != text.npos; at = text.find(from, done)) {
    result.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  text = result.append(text, done);
}

Result<std::unique_ptr<Decoder>> make_fuse_decoder(const Fields&) {
  return std::unique_ptr<Decoder>(std::make_unique<FuseDecoder>());
}

Result<std::unique_ptr<Decoder>> make_replace_decoder(const Fields& fields) {
  QUERN_TRY(const PatternField field, fields.pattern("pattern"));
  QUERN_TRY(Regex pattern, field.compile());
  QUERN_TRY(std::string content, fields.string("content"));
  return std::unique_ptr<Decoder>(std::make_unique<ReplaceDecoder>(std::move(pattern), std::move(content)));
}

Result<std::unique_ptr<Decoder>> make_strip_decoder(const Fields& fields) {
  constexpr uint32_t kMost = 1 << 20;
  QUERN_TRY(std::string content, fields.character("content"));
  QUERN_TRY(const uint32_t start, fields.count("start", kMost));
  QUERN_TRY(const uint32_t stop, fields.count("stop", kMost));
  return std::unique_ptr<Decoder>(std::make_unique<StripDecoder>(std::move(content), start, stop));
}

}  // namespace quern::text
