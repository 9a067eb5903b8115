// Learning what answers are worth: a reward model from pairs of answers of which one is preferred.
#pragma once

#include <memory>
#include <optional>

#include "align/reward_loss.h"
#include "model/reward_model.h"
#include "train/tuning.h"

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

// The mean loss of the pairs of a step; the margin of each is that of its example. Its metrics: accuracy (how often the
// preferred answer is worth more), margin, reward_mean and reward_std over all answers; evaluations add calibration_error
// and brier (RewardCalibration).
class RewardTraining final : public train::Objective {
 public:
  // Errors of check_examples; invalid_argument for examples that are no preferences.
  static Result<RewardTraining> create(std::shared_ptr<const model::RewardModel> model,
                                       data::SupervisedSampler train,
                                       std::optional<data::SupervisedSampler> validation,
                                       const RewardLossOptions& loss, const train::TuningOptions& options);

  Result<train::StepLoss> accumulate(const train::StepRequest& request) override;
  Result<std::optional<train::Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return {{"examples", drawn_}}; }
  Result<void> restore(const nlohmann::json& state) override;
  void describe(train::Fingerprint& print) const override;

 private:
  struct Sums;
  RewardTraining(std::shared_ptr<const model::RewardModel> model, data::SupervisedSampler train,
                 std::optional<data::SupervisedSampler> validation, const RewardLossOptions& loss,
                 const train::TuningOptions& options);
  void learn(const data::SupervisedStep& step, const data::SupervisedBatch& batch,
             const nn::ForwardContext& context, double scale, Sums& sums) const;

  std::shared_ptr<const model::RewardModel> model_;
  data::SupervisedSampler train_;
  std::optional<data::SupervisedSampler> validation_;
  RewardLossOptions loss_;
  train::TuningOptions options_;
  int64_t drawn_ = 0;  // pairs, through all epochs
};

}  // namespace quern::align
