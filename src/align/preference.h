// Learning from pairs of answers of which one is preferred, without a reward model: DPO and its relatives.
#pragma once

#include <optional>

#include "align/preference_loss.h"
#include "align/reference.h"
#include "train/tuning.h"

namespace quern::align {

struct PreferenceOptions {
  PairLossOptions pair;
  // What is added to the loss: this times the mean -log p of the tokens of preferred answers, of all pairs of a step
  // together (RPO's and CPO's alpha; 1 is ORPO's).
  double nll_weight = 0.0;
};

// The mean loss of the pairs of a step, each by itself whichever micro-batch it is in. Its metrics: accuracy (how often
// the preferred answer is worth more), margin, chosen_reward, rejected_reward (PairLoss), and chosen_logp and
// rejected_logp, means of sums over answers. Where both fall, while the margin grows, the model learns to avoid the
// rejected answers faster than it learns to give the preferred ones: the loss knows their difference alone.
class PreferenceTuning final : public train::Objective {
 public:
  // Model and reference must outlive it; no reference where the loss has none, or to compare with nothing. Errors of
  // check_examples; invalid_argument for examples that are no preferences.
  static Result<PreferenceTuning> create(const model::Decoder& model, std::optional<Reference> reference,
                                         data::SupervisedSampler train,
                                         std::optional<data::SupervisedSampler> validation,
                                         const PreferenceOptions& preference,
                                         const train::TuningOptions& options);

  Result<train::StepLoss> accumulate(const train::StepRequest& request) override;
  Result<std::optional<train::Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return {{"examples", drawn_}}; }
  Result<void> restore(const nlohmann::json& state) override;
  void describe(train::Fingerprint& print) const override;

 private:
  struct Sums;
  PreferenceTuning(const model::Decoder& model, std::optional<Reference> reference,
                   data::SupervisedSampler train, std::optional<data::SupervisedSampler> validation,
                   const PreferenceOptions& preference, const train::TuningOptions& options);
  void learn(const data::SupervisedStep& step, const data::SupervisedBatch& batch,
             const nn::ForwardContext& context, double scale, Sums& sums) const;

  const model::Decoder* model_;
  std::optional<Reference> reference_;
  data::SupervisedSampler train_;
  std::optional<data::SupervisedSampler> validation_;
  PreferenceOptions preference_;
  train::TuningOptions options_;
  int64_t drawn_ = 0;  // pairs, through all epochs
};

}  // namespace quern::align
