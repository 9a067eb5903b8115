// The core of unigram training (Kudo, "Subword regularization", 2018): from words and their counts to pieces and their
// log probabilities.
//
// Seeds are the repeated substrings of the words. Expectation maximisation estimates their probabilities over all ways
// to cut the words, with digamma in place of the logarithm, which starves rare pieces (Liang and Klein, 2007). Then the
// pieces go whose loss the likelihood would feel least, a quarter at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/progress.h"
#include "text/word_counter.h"

namespace quern::text {

struct UnigramLearning {
  int64_t vocab_size = 8000;       // characters among them
  int64_t reserved = 0;            // tokens of the vocabulary that are not learnt
  uint32_t max_piece_length = 16;  // characters
  int64_t seed_size = 1'000'000;
  double shrinking_factor = 0.75;  // what a round keeps
  int32_t n_sub_iterations = 2;    // of expectation maximisation in a round
  // The share of all characters of the text that must be pieces; the rarest ones are left out.
  double character_coverage = 1;
};

struct ScoredPiece {
  std::string text;
  double score;  // log probability
};

// Likeliest pieces first. Results depend neither on the order of the words nor on the number of threads. Errors:
// invalid_argument when there are more characters than pieces wanted, or words of 2 GiB.
Result<std::vector<ScoredPiece>> learn_unigram(const WordCounts& words, const UnigramLearning& options,
                                               Progress& progress);

}  // namespace quern::text
