// A label for each word of a text: names, parts of speech.
#pragma once

#include "encoding/encoder_criterion.h"
#include "encoding/entities.h"
#include "model/encoder.h"

namespace quern::encoding {

struct LabelledTokens {
  TextTokens text;
  std::vector<int32_t>
      labels;  // one a token: of a word's first token the word's, of others -1, which nothing is asked of
};

// The mean loss over labelled tokens. Its figures: accuracy over them; in evaluations, precision, recall and f1 of entities.
class TokenLabels final : public EncoderCriterion {
 public:
  // The model must outlive it, and have the head token_classification.
  TokenLabels(const model::Encoder& model, std::vector<LabelledTokens> texts)
      : model_(&model), texts_(std::move(texts)) {}

  int64_t size() const override { return static_cast<int64_t>(texts_.size()); }
  int64_t length(int64_t example) const override { return texts_[static_cast<size_t>(example)].text.size(); }
  int64_t targets(std::span<const int64_t> chosen, uint64_t draw) const override;
  void clear() override { sums_ = {}; }
  void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) override;
  double loss() const override { return sums_.loss / static_cast<double>(sums_.tokens); }
  std::vector<train::Figure> figures() const override;
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  const model::Encoder* model_;
  std::vector<LabelledTokens> texts_;
  struct {
    double loss = 0.0;
    int64_t tokens = 0, right = 0;
    EntityCounts entities;
  } sums_;
};

}  // namespace quern::encoding
