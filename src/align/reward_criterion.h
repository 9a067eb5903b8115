// Learning what answers are worth: a reward model from pairs of answers of which one is preferred.
#pragma once

#include <memory>

#include "align/reward_loss.h"
#include "model/reward_model.h"
#include "train/criterion.h"

namespace quern::align {

// The rewards of the texts of a batch, and where their gradients enter a model.
class TextRewards {
 public:
  // Runs the model over the batch, whose sequences have all their tokens (SupervisedOptions::last_tokens), as `context`
  // says. Recorded unless within NoGrad.
  TextRewards(const model::RewardModel& model, const data::SupervisedBatch& batch,
              const nn::ForwardContext& context);

  double operator[](size_t sequence) const { return double{rewards_.span<float>()[sequence]}; }
  // Adds to the gradients of the model what the derivatives of a loss by the rewards make there. Once.
  void backward(std::span<const double> d_rewards) const;

 private:
  Tensor rewards_;  // f32 [sequences]
};

// The mean loss of pairs; the margin of each is that of its example. Its figures: accuracy (how often the preferred answer
// is worth more), margin, reward_mean and reward_std over all answers; evaluations add calibration_error and brier
// (RewardCalibration).
class RewardCriterion final : public train::Criterion {
 public:
  RewardCriterion(std::shared_ptr<const model::RewardModel> model, const RewardLossOptions& options)
      : model_(std::move(model)), options_(options) {}

  data::TokenContent content() const override { return data::TokenContent::preferences; }
  void describe(train::Fingerprint& print) const override { print["reward"] = {options_.center}; }
  void clear() override { sums_ = {}; }
  void begin_step(const data::SupervisedSampler&, const data::SupervisedStep& step) override {
    step_pairs_ = static_cast<double>(step.examples);
  }
  void add(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double scale) override;
  double loss() const override { return sums_.loss / static_cast<double>(sums_.pairs); }
  std::vector<train::Figure> figures() const override;
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  std::shared_ptr<const model::RewardModel> model_;
  RewardLossOptions options_;
  double step_pairs_ = 0.0;
  struct {
    int64_t pairs = 0;
    double loss = 0.0, margin = 0.0, reward = 0.0, square = 0.0;
    RewardCalibration calibration;
  } sums_;
};

}  // namespace quern::align
