// Trains a unigram tokenizer in the form of T5's and XLM-R's from text.
//
// Pieces and scores are those of Hugging Face's UnigramTrainer on the same words up to rounding. There the order of a
// hash table decides the scores of characters that are nearly never pieces; here it is the order of code points.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "text/tokenizer.h"
#include "text/training.h"

namespace quern::text {

struct UnigramTrainOptions {
  int64_t vocab_size = 8192;  // with special tokens, and the 256 bytes of byte_fallback
  // They get the first ids, in this order.
  std::vector<std::string> special_tokens = {"<pad>", "</s>", "<unk>"};
  std::string unk_token = "<unk>";
  // Stand before and after every text that is encoded with special tokens.
  std::optional<std::string> bos_token = std::nullopt;
  std::optional<std::string> eos_token = "</s>";
  std::optional<std::string> pad_token = "<pad>";
  // Characters that are no piece become their bytes, "<0xE2>" and so on, not the unknown token.
  bool byte_fallback = false;
  // The share of all characters of the text that must be pieces; 1: each of them.
  double character_coverage = 1;
  int64_t seed_size = 1'000'000;
  double shrinking_factor = 0.75;
  int64_t max_piece_length = 16;
  int64_t n_sub_iterations = 2;
};

// Texts are normalised as by SentencePiece: NMT's cleaning and NFKC, no more than one space in a row, "\u2581" in place
// of spaces and before the text; no piece crosses a space. Errors: invalid_argument for a vocabulary smaller than its
// alphabet, an empty corpus, a wrong role. A small corpus gives a smaller vocabulary than asked for, without error.
Result<Tokenizer> train_unigram(const TextSource& next, const UnigramTrainOptions& options,
                                Progress& progress);

}  // namespace quern::text
