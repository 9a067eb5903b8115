// Trains a WordPiece tokenizer in the form of BERT's (Devlin et al., 2019) from text.
//
// The vocabulary is learnt as by Hugging Face's WordPieceTrainer, by merges of the most frequent pair, not by
// likelihood. There ids of the alphabet inside words ("##a") follow the order of a hash table, and with them, of
// equally frequent pairs, which one is merged first: two runs differ. Here both follow the code points, so that the
// result depends on the texts alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "text/tokenizer.h"
#include "text/training.h"

namespace quern::text {

struct WordPieceTrainOptions {
  int64_t vocab_size = 30000;  // with special tokens and the alphabet
  int64_t min_frequency = 2;   // pairs seen less often are not merged
  // They get the first ids, in this order. [PAD], [UNK], [CLS], [SEP] and [MASK] must be among them.
  std::vector<std::string> special_tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  // Characters of the alphabet: those of `initial_alphabet`, then the most frequent ones. Words with another one are
  // [UNK].
  int64_t limit_alphabet = 1000;
  std::string initial_alphabet = "";
  bool lowercase = true;  // also strips accents
};

// A text is encoded as [CLS] text [SEP], two as [CLS] first [SEP] second [SEP] with types 0 and 1. Errors:
// invalid_argument for a vocabulary smaller than its alphabet, an empty corpus, a wrong special token. A corpus with
// too few pairs gives a smaller vocabulary than asked for, without error.
Result<Tokenizer> train_word_piece(const TextSource& next, const WordPieceTrainOptions& options,
                                   Progress& progress);

}  // namespace quern::text
