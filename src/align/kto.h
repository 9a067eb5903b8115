// Learning from answers that are wanted or not, each by itself: KTO (Ethayarajh et al. 2024, arXiv 2402.01306).
//
//   r  = log p(answer) - log p_ref(answer)
//   z  = max(0, mean of the same over prompts with answers of other prompts), without a gradient
//   wanted    w_D (1 - s(b (r - z)))
//   unwanted  w_U (1 - s(b (z - r)))
#pragma once

#include <optional>

#include "align/preference_loss.h"
#include "align/reference.h"
#include "train/tuning.h"

namespace quern::align {

struct KtoOptions {
  double beta = 0.1;
  // With unequal numbers of wanted and unwanted answers, weights that bring weight times number to between 1 : 1 and
  // 4 : 3 are best.
  double wanted_weight = 1.0;
  double unwanted_weight = 1.0;
};

struct KtoLoss {
  double loss = 0.0;
  double d = 0.0;       // the derivative by AnswerLogProb::sum
  double reward = 0.0;  // b r
};
KtoLoss kto_loss(const AnswerLogProb& answer, bool wanted, double z, const KtoOptions& options);

// The mean loss of the answers of a step; z is that of all of them, so that micro-batches change nothing. In a step of a
// single example, which has no other answer, z is 0. Its metrics: kl (z), wanted_reward, unwanted_reward, margin between
// them, wanted_logp, unwanted_logp.
class KtoTuning final : public train::Objective {
 public:
  // The model must outlive it. Errors of check_examples; invalid_argument for examples of another kind, and where a step
  // is of one example.
  static Result<KtoTuning> create(const model::Decoder& model, Reference reference,
                                  data::SupervisedSampler train,
                                  std::optional<data::SupervisedSampler> validation, const KtoOptions& kto,
                                  const train::TuningOptions& options);

  Result<train::StepLoss> accumulate(const train::StepRequest& request) override;
  Result<std::optional<train::Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return {{"examples", drawn_}}; }
  Result<void> restore(const nlohmann::json& state) override;
  void describe(train::Fingerprint& print) const override;

 private:
  struct Sums;
  KtoTuning(const model::Decoder& model, Reference reference, data::SupervisedSampler train,
            std::optional<data::SupervisedSampler> validation, const KtoOptions& kto,
            const train::TuningOptions& options);
  double estimate_kl(const data::SupervisedSampler& examples, const data::SupervisedStep& step) const;
  void learn(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double z, double scale,
             Sums& sums) const;

  const model::Decoder* model_;
  Reference reference_;
  data::SupervisedSampler train_;
  std::optional<data::SupervisedSampler> validation_;
  KtoOptions kto_;
  train::TuningOptions options_;
  int64_t drawn_ = 0;
};

}  // namespace quern::align
