// The core of BPE training: from words and their counts to merges, by keeping the positions of every pair.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/progress.h"
#include "text/word_counter.h"

namespace quern::text {

struct LearnedMerges {
  std::vector<std::string> tokens;             // bytes of each token, by id
  std::vector<std::array<TokenId, 3>> merges;  // left, right, result
};

// `tokens` begins with what exists before merging: special tokens, then `alphabet` (256 ids, by byte). Learns
// until there are `vocab_size` tokens or no pair occurs `min_frequency` times. Errors: invalid_argument when
// the distinct words need more than 4 GiB.
Result<LearnedMerges> learn_merges(const WordCounts& words, std::vector<std::string> tokens,
                                   const std::array<TokenId, 256>& alphabet, int64_t vocab_size,
                                   int64_t min_frequency, Progress& progress);

}  // namespace quern::text
