// Supervised tuning: answers to prompts, of examples whose masks say what is learnt.
#pragma once

#include "model/decoder.h"
#include "train/criterion.h"

namespace quern::train {

// The mean loss of all targets. Cutting a step into other micro-batches, or packing it, changes nothing but the order of
// sums. Evaluations add perplexity, and are without label smoothing, so that those of all runs compare.
class SupervisedCriterion final : public Criterion {
 public:
  // The model must outlive it.
  explicit SupervisedCriterion(const model::Decoder& model, double label_smoothing = 0.0)
      : model_(&model), label_smoothing_(label_smoothing) {}

  data::TokenContent content() const override { return data::TokenContent::supervised; }
  void describe(Fingerprint& print) const override;
  void clear() override { sum_ = targets_ = 0.0; }
  void begin_step(const data::SupervisedSampler& examples, const data::SupervisedStep& step) override;
  void add(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double scale) override;
  double loss() const override { return sum_ / targets_; }
  std::vector<Figure> evaluation_figures() const override;

 private:
  Tensor smoothed_loss(const Tensor& states, const data::SupervisedBatch& batch, double smoothing) const;

  const model::Decoder* model_;
  double label_smoothing_;  // ops::CrossEntropyOptions
  double step_targets_ = 0.0;
  double sum_ = 0.0, targets_ = 0.0;
};

}  // namespace quern::train
