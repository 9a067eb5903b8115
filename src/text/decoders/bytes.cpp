// ByteLevel and ByteFallback: tokens that stand for bytes.
#include <charconv>

#include "text/byte_alphabet.h"
#include "text/decoders/factories.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
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
}  // namespace

Result<std::unique_ptr<Decoder>> make_byte_level_decoder(const Fields&) {
  return std::unique_ptr<Decoder>(std::make_unique<ByteLevelDecoder>());
}

Result<std::unique_ptr<Decoder>> make_byte_fallback_decoder(const Fields&) {
  return std::unique_ptr<Decoder>(std::make_unique<ByteFallbackDecoder>());
}

}  // namespace quern::text
