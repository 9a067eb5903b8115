#include "align/reward_criterion.h"

#include <algorithm>
#include <cmath>

#include "autograd/graph.h"
#include "autograd/training_kernels.h"
#include "ops/embedding.h"
#include "ops/reshape.h"

namespace quern::align {

TextRewards::TextRewards(const model::RewardModel& model, const data::SupervisedBatch& batch,
                         const nn::ForwardContext& context) {
  const autograd::TrainingKernels kernels;
  const Tensor states = model.decoder().hidden(batch.tokens, context);
  const int64_t time = batch.tokens.dim(1);
  const auto tokens = batch.tokens.span<int32_t>();
  std::vector<int32_t> places;
  for (const data::SupervisedSequence& sequence : batch.sequences) {
    const int64_t first = sequence.row * time + sequence.begin;
    const auto text = tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(sequence.length));
    places.push_back(static_cast<int32_t>(first + model.place_of_reward(text)));
  }
  const auto count = static_cast<int64_t>(places.size());
  const Tensor rows = ops::reshape(states, {states.shape().rows(), states.dim(-1)});
  rewards_ = model.values(ops::embedding(Tensor::from(places, {count}), rows, states.dtype()));
}

void TextRewards::backward(std::span<const double> d_rewards) const {
  const Tensor seed(rewards_.shape(), rewards_.dtype());
  std::ranges::transform(d_rewards, seed.data<float>(), [](double d) { return static_cast<float>(d); });
  autograd::backward(rewards_, seed);
}

void RewardCriterion::add(const data::SupervisedBatch& batch, const nn::ForwardContext& context,
                          double scale) {
  const TextRewards rewards(*model_, batch, context);
  const double share = scale / step_pairs_;
  std::vector<double> d_rewards(batch.sequences.size());
  for (size_t i = 0; i < d_rewards.size(); i += 2) {
    const double chosen = rewards[i], rejected = rewards[i + 1];
    const RewardLoss pair = reward_loss(chosen, rejected, double{batch.sequences[i].value}, options_);
    d_rewards[i] = share * pair.d_chosen;
    d_rewards[i + 1] = share * pair.d_rejected;
    ++sums_.pairs;
    sums_.loss += pair.loss;
    sums_.margin += chosen - rejected;
    sums_.reward += chosen + rejected;
    sums_.square += chosen * chosen + rejected * rejected;
    sums_.calibration.add(chosen, rejected);
  }
  if (autograd::grad_enabled()) rewards.backward(d_rewards);
}

std::vector<train::Figure> RewardCriterion::figures() const {
  const double answers = 2.0 * static_cast<double>(sums_.pairs), mean = sums_.reward / answers;
  return {{"accuracy", sums_.calibration.accuracy()},
          {"margin", sums_.margin / static_cast<double>(sums_.pairs)},
          {"reward_mean", mean},
          {"reward_std", std::sqrt(std::max(sums_.square / answers - mean * mean, 0.0))}};
}

std::vector<train::Figure> RewardCriterion::evaluation_figures() const {
  std::vector<train::Figure> all = figures();
  all.emplace_back("calibration_error", sums_.calibration.calibration_error());
  all.emplace_back("brier", sums_.calibration.brier());
  return all;
}

}  // namespace quern::align
