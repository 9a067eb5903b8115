// Learning from answers that are wanted or not, each by itself: KTO (Ethayarajh et al. 2024, arXiv 2402.01306).
//
//   r  = log p(answer) - log p_ref(answer)
//   z  = max(0, mean of the same over prompts with answers of other prompts), without a gradient
//   wanted    w_D (1 - s(b (r - z)))
//   unwanted  w_U (1 - s(b (z - r)))
#pragma once

#include "align/preference_loss.h"
#include "align/reference.h"
#include "train/criterion.h"

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

// The mean loss of answers; z is that of a whole step, so that micro-batches change nothing. In a step of a single
// example, which has no other answer, z is 0. Its figures: kl (z), wanted_reward, unwanted_reward, margin between them,
// wanted_logp, unwanted_logp.
class KtoCriterion final : public train::Criterion {
 public:
  // The model must outlive it.
  KtoCriterion(const model::Decoder& model, Reference reference, const KtoOptions& options)
      : model_(&model), reference_(std::move(reference)), options_(options) {}

  data::TokenContent content() const override { return data::TokenContent::unpaired; }
  void describe(train::Fingerprint& print) const override;
  void clear() override { sums_ = {}; }
  void begin_step(const data::SupervisedSampler& examples, const data::SupervisedStep& step) override;
  void add(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double scale) override;
  double loss() const override { return sums_.loss / static_cast<double>(sums_.examples); }
  std::vector<train::Figure> figures() const override;

 private:
  double estimate_kl(const data::SupervisedSampler& examples, const data::SupervisedStep& step) const;

  const model::Decoder* model_;
  Reference reference_;
  KtoOptions options_;
  double z_ = 0.0, step_examples_ = 0.0;
  struct {
    int64_t count[2] = {}, examples = 0;  // [0] unwanted ones, [1] wanted ones
    double loss = 0.0, kl = 0.0;          // kl: times examples
    double reward[2] = {}, logp[2] = {};
  } sums_;
};

}  // namespace quern::align
