// Words that are hidden from an encoder, which learns to tell them (Devlin et al. 2018, arXiv 1810.04805).
#pragma once

#include "data/token_dataset.h"
#include "encoding/encoder_criterion.h"
#include "model/encoder.h"
#include "text/tokenizer.h"

namespace quern::encoding {

struct MaskOptions {
  double share = 0.15;       // of places that are asked for
  double hidden = 0.8;       // of these, those that show the mask
  double replaced = 0.1;     // those that show a random token; the rest shows itself
  bool whole_words = false;  // all tokens of a word, or none
  uint64_t seed = 0;
};

// What masks need to know of a tokenizer.
struct MaskTokens {
  int32_t mask = 0;
  std::vector<char> special;    // by token: never asked for
  std::vector<char> continues;  // by token: it goes on with the word before it

  // not_found where the tokenizer has no mask.
  static Result<MaskTokens> of(const text::Tokenizer& tokenizer);
};

// Documents cut into texts of at most `longest` tokens, each with the tokenizer's special tokens around it.
std::vector<TextTokens> texts_of(const data::TokenDataset& documents, const text::Tokenizer& tokenizer,
                                 int64_t longest);

// The mean loss over places that are asked for. Which ones is a function of the seed, the step (EncoderPass::draw) and the
// example; in evaluations always the same. These add perplexity.
class MaskedWords final : public EncoderCriterion {
 public:
  // The model must outlive it, and have the head masked_lm.
  MaskedWords(const model::Encoder& model, MaskTokens tokens, std::vector<TextTokens> texts,
              const MaskOptions& options);

  // Text `example` as it is read, and what is asked for: tokens, or -1.
  struct Masked {
    TextTokens text;
    std::vector<int32_t> targets;
  };
  Masked masked(int64_t example, uint64_t draw) const;
  const TextTokens& text(int64_t example) const { return texts_[static_cast<size_t>(example)]; }

  int64_t size() const override { return static_cast<int64_t>(texts_.size()); }
  int64_t length(int64_t example) const override { return texts_[static_cast<size_t>(example)].size(); }
  int64_t targets(std::span<const int64_t> chosen, uint64_t draw) const override;
  void describe(train::Fingerprint& print) const override;
  void clear() override { sum_ = count_ = 0.0; }
  void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) override;
  double loss() const override { return count_ > 0.0 ? sum_ / count_ : 0.0; }
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  const model::Encoder* model_;
  MaskTokens tokens_;
  std::vector<TextTokens> texts_;
  MaskOptions options_;
  double sum_ = 0.0, count_ = 0.0;
};

}  // namespace quern::encoding
