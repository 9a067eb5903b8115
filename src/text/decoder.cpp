#include "text/decoder.h"

#include <charconv>

#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
void fuse(std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  tokens.assign(1, std::move(text));
}

class ByteLevelDecoder : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      if (auto bytes = from_byte_characters(token)) token = *std::move(bytes);
    }
    fuse(tokens);
    tokens[0] = repair_utf8(tokens[0]).text;
  }
};

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

// <0xXX> tokens to bytes; a run of them that is not valid UTF-8 becomes one U+FFFD per byte.
class ByteFallbackDecoder : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> result;
    std::string run;
    const auto flush = [&] {
      if (run.empty()) return;
      if (valid_utf8_prefix(run) == run.size()) {
        result.push_back(run);
      } else {
        for (size_t i = 0; i < run.size(); ++i) result.emplace_back(kReplacementUtf8);
      }
      run.clear();
    };
    for (std::string& token : tokens) {
      unsigned byte = 0;
      const bool is_byte = token.size() == 6 && token.starts_with("<0x") && token.back() == '>' &&
                           std::from_chars(&token[3], &token[5], byte, 16).ptr == &token[5];
      if (is_byte) {
        run.push_back(static_cast<char>(byte));
      } else {
        flush();
        result.push_back(std::move(token));
      }
    }
    flush();
    tokens = std::move(result);
  }
};

constexpr std::string_view kKnown = "ByteLevel, Replace, ByteFallback, Fuse, Strip, Sequence";

Result<std::unique_ptr<Decoder>> make_decoder(const Fields& fields, const std::string& type) {
  using Made = std::unique_ptr<Decoder>;
  if (type == "ByteLevel") return Made(std::make_unique<ByteLevelDecoder>());
  if (type == "Fuse") return Made(std::make_unique<FuseDecoder>());
  if (type == "ByteFallback") return Made(std::make_unique<ByteFallbackDecoder>());
  if (type == "Replace") {
    QUERN_TRY(const PatternField field, fields.pattern("pattern"));
    QUERN_TRY(Regex pattern, field.compile());
    QUERN_TRY(std::string content, fields.string("content"));
    return Made(std::make_unique<ReplaceDecoder>(std::move(pattern), std::move(content)));
  }
  if (type == "Strip") {
    constexpr uint32_t kMost = 1 << 20;
    QUERN_TRY(std::string content, fields.string("content"));
    if (content.empty()) return fields.wrong("content", "one character");
    QUERN_TRY(const uint32_t start, fields.count("start", kMost));
    QUERN_TRY(const uint32_t stop, fields.count("stop", kMost));
    return Made(std::make_unique<StripDecoder>(std::move(content), start, stop));
  }
  return fields.unsupported(type, kKnown);
}
}  // namespace

std::string Decoders::decode(std::vector<std::string> tokens) const {
  for (const auto& step : steps) step->apply(tokens);
  std::string text;
  for (const std::string& token : tokens) {
    if (join_with_spaces && &token != &tokens.front()) text += ' ';
    text += token;
  }
  return text;
}

Result<Decoders> make_decoders(const Json& component) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("decoder", component, "decoders"));
  Decoders made;
  made.join_with_spaces = component.is_null();
  for (const Fields& fields : list) {
    QUERN_TRY(const std::string type, fields.type());
    QUERN_TRY(auto step, make_decoder(fields, type));
    made.steps.push_back(std::move(step));
    made.byte_level = list.size() == 1 && type == "ByteLevel";
  }
  return made;
}

}  // namespace quern::text
