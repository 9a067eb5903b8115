// Texts as encoders read them: special tokens around one or two texts, each token with its segment and its place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace quern::infer {

struct EncoderToken {
  int32_t id = 0;
  int32_t segment = 0;   // its kind of segment (BERT's token types)
  int8_t part = -1;      // of the first text 0, of the second 1; a special token around them -1
  text::Span span = {};  // its bytes in that text
};

// One text or two, tokenised, of which any stretch can be given to the encoder.
class EncoderText {
 public:
  // `texts`: one or two; ill-formed UTF-8 is repaired. Special tokens in them are read as such.
  EncoderText(const text::Tokenizer& tokenizer, std::string_view first,
              const std::optional<std::string_view>& second = std::nullopt);

  // Tokens of part 0 or 1, and the special ones around them.
  int64_t size(int part) const { return static_cast<int64_t>(parts_[part].size()); }
  int64_t special() const { return static_cast<int64_t>(before_.size() + between_.size() + after_.size()); }
  int64_t size() const { return special() + size(0) + size(1); }
  // The repaired text that spans refer to.
  const std::string& text(int part) const { return texts_[part]; }

  // All of it.
  std::vector<EncoderToken> tokens() const;
  // As many tokens as fit in `limit`: the longer text gives up its last tokens first.
  std::vector<EncoderToken> truncated(int64_t limit) const;
  // With only tokens [begin, end) of the last text.
  std::vector<EncoderToken> window(int64_t begin, int64_t end) const;

 private:
  std::vector<EncoderToken> join(int64_t first_end, int64_t begin, int64_t end) const;

  std::string texts_[2];
  std::vector<EncoderToken> parts_[2], before_, between_, after_;
  bool pair_ = false;
};

}  // namespace quern::infer
