#include "align/preference_criterion.h"

#include "align/answers.h"
#include "autograd/graph.h"

namespace quern::align {

void PreferenceCriterion::begin_step(const data::SupervisedSampler&, const data::SupervisedStep& step) {
  int64_t chosen_tokens = 0;
  for (const data::SupervisedBatch& batch : step.micro_batches)
    for (size_t i = 0; i < batch.sequences.size(); i += 2) chosen_tokens += batch.sequences[i].targets;
  share_ = 1.0 / static_cast<double>(step.examples);
  nll_share_ = options_.nll_weight / static_cast<double>(chosen_tokens);
}

void PreferenceCriterion::add(const data::SupervisedBatch& batch, const nn::ForwardContext& context,
                              double scale) {
  const Answers answers(*model_, batch, context);
  std::optional<Answers> reference;
  if (reference_) {
    const autograd::NoGrad no_grad;
    reference.emplace(reference_->model(), batch, reference_->context(batch));
  }
  const auto answer = [&](size_t i) {
    return AnswerLogProb{answers.sum(i), reference ? reference->sum(i) : 0.0, batch.sequences[i].targets};
  };
  std::vector<double> d_sums(batch.sequences.size());
  for (size_t i = 0; i < d_sums.size(); i += 2) {
    const AnswerLogProb chosen = answer(i), rejected = answer(i + 1);
    const PairLoss pair = pair_loss(chosen, rejected, options_.pair);
    d_sums[i] = scale * (share_ * pair.d_chosen - nll_share_);
    d_sums[i + 1] = scale * share_ * pair.d_rejected;
    ++sums_.pairs;
    sums_.loss += pair.loss;
    sums_.nll -= chosen.sum;
    sums_.chosen_tokens += chosen.tokens;
    // A tie is half a win.
    sums_.wins += pair.margin() > 0.0 ? 1.0 : pair.margin() == 0.0 ? 0.5 : 0.0;
    sums_.chosen_reward += pair.chosen_reward;
    sums_.rejected_reward += pair.rejected_reward;
    sums_.chosen_logp += chosen.sum;
    sums_.rejected_logp += rejected.sum;
  }
  if (autograd::grad_enabled()) answers.backward_sums(d_sums);
}

double PreferenceCriterion::loss() const {
  return sums_.loss / static_cast<double>(sums_.pairs) +
         options_.nll_weight * sums_.nll / static_cast<double>(sums_.chosen_tokens);
}

std::vector<train::Figure> PreferenceCriterion::figures() const {
  const auto mean = [&](double sum) { return sum / static_cast<double>(sums_.pairs); };
  return {{"accuracy", mean(sums_.wins)},
          {"margin", mean(sums_.chosen_reward - sums_.rejected_reward)},
          {"chosen_reward", mean(sums_.chosen_reward)},
          {"rejected_reward", mean(sums_.rejected_reward)},
          {"chosen_logp", mean(sums_.chosen_logp)},
          {"rejected_logp", mean(sums_.rejected_logp)},
          {"chosen_nll", sums_.nll / static_cast<double>(sums_.chosen_tokens)}};
}

void PreferenceCriterion::describe(train::Fingerprint& print) const {
  print["preference"] = {static_cast<int>(options_.pair.kind), options_.pair.beta, options_.pair.gamma,
                         options_.pair.label_smoothing, options_.nll_weight};
}

}  // namespace quern::align
