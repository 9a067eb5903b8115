#include "align/policy_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quern::align {

PolicyLoss policy_loss(const TokenLogProb& token, double advantage, const PolicyLossOptions& o) {
  const double ratio = std::exp(token.now - token.before);
  const double held = std::clamp(ratio, 1.0 - o.clip_low, 1.0 + o.clip_high);
  PolicyLoss result;
  result.clipped = held * advantage < ratio * advantage;
  result.loss = -(result.clipped ? held : ratio) * advantage;
  result.d = result.clipped ? 0.0 : -ratio * advantage;
  if (o.beta == 0.0) return result;
  const double distance = token.reference - token.now;
  result.kl = std::expm1(distance) - distance;
  result.loss += o.beta * result.kl;
  result.d -= o.beta * std::expm1(distance);
  return result;
}

double token_share(Aggregation aggregation, int64_t tokens, const StepAnswers& step) {
  switch (aggregation) {
    case Aggregation::grpo:
      return 1.0 / (static_cast<double>(step.answers) * static_cast<double>(tokens));
    case Aggregation::dapo:
      return 1.0 / static_cast<double>(step.tokens);
    case Aggregation::dr_grpo:
      break;
  }
  return 1.0 / (static_cast<double>(step.answers) * static_cast<double>(step.max_tokens));
}

std::vector<double> group_advantages(std::span<const double> rewards, bool scaled) {
  const auto count = static_cast<double>(rewards.size());
  std::vector<double> advantages(rewards.size(), 0.0);
  // Of equal rewards the mean may be another number in its last bit.
  if (std::ranges::all_of(rewards, [&](double reward) { return reward == rewards.front(); }))
    return advantages;
  const double mean = std::accumulate(rewards.begin(), rewards.end(), 0.0) / count;
  double squares = 0.0;
  for (size_t i = 0; i < rewards.size(); ++i) {
    advantages[i] = rewards[i] - mean;
    squares += advantages[i] * advantages[i];
  }
  const double divisor = scaled ? std::sqrt(squares / (count - 1.0)) + 1e-4 : 1.0;
  for (double& advantage : advantages) advantage /= divisor;
  return advantages;
}

}  // namespace quern::align
