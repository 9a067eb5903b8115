// The core of BPE training: from words and their counts to merges, by keeping the positions of every pair.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "text/vocabulary.h"
#include "text/word_counter.h"

namespace quern::text {

// Where merging begins.
struct MergeStart {
  std::vector<std::string> tokens;  // special tokens, then the alphabet
  // Appends the symbols of a word, ids of `tokens`. Called once for each word, in order.
  std::function<void(std::string_view word, std::vector<TokenId>& symbols)> spell;
  // What tokens begin with that continue a word; it is left out where such a token becomes the right part of another.
  // Its characters stand in no word of several symbols.
  std::string continuing_prefix = {};
};

struct LearnedMerges {
  std::vector<std::string> tokens;             // spelling of each token, by id
  std::vector<std::array<TokenId, 3>> merges;  // left, right, result
};

// Learns until there are `vocab_size` tokens or no pair occurs `min_frequency` times. Errors: invalid_argument when
// the distinct words need more than 4 GiB.
Result<LearnedMerges> learn_merges(const WordCounts& words, MergeStart start, int64_t vocab_size,
                                   int64_t min_frequency, Progress& progress);

}  // namespace quern::text
