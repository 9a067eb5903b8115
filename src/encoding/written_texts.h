// Texts that an encoder-decoder writes in sight of others.
#pragma once

#include "encoding/encoder_criterion.h"
#include "encoding/span_corruption.h"
#include "model/encoder_decoder.h"

namespace quern::encoding {

// The mean loss over the tokens of targets, each predicted from those before it, of which the first is the model's
// start_token (teacher forcing). Evaluations add perplexity, and the share of tokens that are the likeliest (accuracy).
class WrittenTexts : public EncoderCriterion {
 public:
  // What is read and what is to be written: both with what stands around texts, neither empty. `draw` is that of the pass.
  virtual TextPair pair(int64_t example, uint64_t draw) const = 0;

  int64_t targets(std::span<const int64_t> chosen, uint64_t draw) const override;
  void clear() override { sums_ = {}; }
  void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) override;
  double loss() const override { return sums_.loss / static_cast<double>(sums_.tokens); }
  std::vector<train::Figure> evaluation_figures() const override;

 protected:
  // The model must outlive it.
  explicit WrittenTexts(const model::EncoderDecoder& model) : model_(&model) {}
  // Of targets, those whose tokens are all the likeliest: what greedy generation writes, since it goes on from the same ones.
  double exact() const { return static_cast<double>(sums_.exact) / static_cast<double>(sums_.texts); }

 private:
  struct Sums {
    double loss = 0.0;
    int64_t tokens = 0, right = 0, texts = 0, exact = 0;
  };
  void judge(const Tensor& states, const Tensor& targets);

  const model::EncoderDecoder* model_;
  Sums sums_;
};

// Pairs as they are. Evaluations add the share of answers that greedy generation would give word for word (exact_match).
class AnsweredTexts final : public WrittenTexts {
 public:
  AnsweredTexts(const model::EncoderDecoder& model, std::vector<TextPair> pairs)
      : WrittenTexts(model), pairs_(std::move(pairs)) {}

  int64_t size() const override { return static_cast<int64_t>(pairs_.size()); }
  int64_t length(int64_t example) const override {
    const TextPair& pair = pairs_[static_cast<size_t>(example)];
    return static_cast<int64_t>(pair.source.size() + pair.target.size());
  }
  TextPair pair(int64_t example, uint64_t) const override { return pairs_[static_cast<size_t>(example)]; }
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  std::vector<TextPair> pairs_;
};

}  // namespace quern::encoding
