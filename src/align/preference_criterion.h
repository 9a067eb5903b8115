// Learning from pairs of answers of which one is preferred, without a reward model: DPO and its relatives.
#pragma once

#include <optional>

#include "align/preference_loss.h"
#include "align/reference.h"
#include "train/criterion.h"

namespace quern::align {

struct PreferenceOptions {
  PairLossOptions pair;
  // What is added to the loss: this times the mean -log p of the tokens of preferred answers, of all pairs of a step
  // together (RPO's and CPO's alpha; 1 is ORPO's).
  double nll_weight = 0.0;
};

// The mean loss of pairs. Its figures: accuracy (how often the preferred answer is worth more), margin, chosen_reward,
// rejected_reward (PairLoss), and chosen_logp and rejected_logp, means of sums over answers. Where both fall, while the
// margin grows, the model learns to avoid the rejected answers faster than it learns to give the preferred ones: the loss
// knows their difference alone.
class PreferenceCriterion final : public train::Criterion {
 public:
  // Model and reference must outlive it; no reference where the loss has none, or to compare with nothing.
  PreferenceCriterion(const model::Decoder& model, std::optional<Reference> reference,
                      const PreferenceOptions& options)
      : model_(&model), reference_(std::move(reference)), options_(options) {}

  data::TokenContent content() const override { return data::TokenContent::preferences; }
  void describe(train::Fingerprint& print) const override;
  void clear() override { sums_ = {}; }
  void begin_step(const data::SupervisedSampler& examples, const data::SupervisedStep& step) override;
  void add(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double scale) override;
  double loss() const override;
  std::vector<train::Figure> figures() const override;

 private:
  const model::Decoder* model_;
  std::optional<Reference> reference_;
  PreferenceOptions options_;
  double share_ = 0.0,
         nll_share_ = 0.0;  // of the loss of the step: of a pair, and of a token of a preferred answer
  struct {
    int64_t pairs = 0, chosen_tokens = 0;
    double loss = 0.0, nll = 0.0, wins = 0.0;
    double chosen_reward = 0.0, rejected_reward = 0.0, chosen_logp = 0.0, rejected_logp = 0.0;
  } sums_;
};

}  // namespace quern::align
