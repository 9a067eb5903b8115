// Two tokenizers on the same texts: what `quern tokenizer compare` shows.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer_report.h"

namespace quern::text {

struct TokenizerComparison {
  // Where the ids of a text first part: from here on the tokens of each side.
  struct Difference {
    size_t text;                  // index
    size_t token;                 // index of the first id that differs
    std::vector<TokenId> ids[2];  // a few ids from there on
  };
  TokenizerStats stats[2];
  double megabytes_per_second[2] = {0, 0};  // encoding on one thread
  int64_t equal_texts = 0;                  // with the same ids
  int64_t equal_tokens = 0;                 // that both give at the same place, as strings
  int64_t round_trips[2] = {0, 0};          // texts that decoding gives back
  std::optional<Difference> first;
};

// Encodes without added special tokens. Texts that are not UTF-8 count as repaired.
TokenizerComparison compare(const Tokenizer& a, const Tokenizer& b, std::span<const std::string_view> texts);

}  // namespace quern::text
