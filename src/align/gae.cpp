#include "align/gae.h"

#include <algorithm>
#include <cmath>

#include "align/mean.h"

namespace quern::align {

namespace {

double variance_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return squares / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> shaped_rewards(std::span<const double> log_probs, std::span<const double> reference,
                                   double reward, double kl_weight) {
  std::vector<double> rewards(log_probs.size());
  for (size_t t = 0; t < rewards.size(); ++t) rewards[t] = -kl_weight * (log_probs[t] - reference[t]);
  rewards.back() += reward;
  return rewards;
}

Gae advantages_of(std::span<const double> rewards, std::span<const double> values,
                  const GaeOptions& options) {
  Gae gae{std::vector<double>(rewards.size()), std::vector<double>(rewards.size())};
  double next_value = 0.0, next_advantage = 0.0;
  for (size_t t = rewards.size(); t-- > 0;) {
    const double delta = rewards[t] + options.gamma * next_value - values[t];
    next_advantage = gae.advantages[t] = delta + options.gamma * options.lambda * next_advantage;
    gae.returns[t] = gae.advantages[t] + values[t];
    next_value = values[t];
  }
  return gae;
}

void whiten(std::span<const std::span<double>> advantages) {
  std::vector<double> all;
  for (const std::span<double> each : advantages) all.insert(all.end(), each.begin(), each.end());
  if (all.empty()) return;
  const auto count = static_cast<double>(all.size());
  const double mean = mean_of(all);
  const double variance = all.size() > 1 ? variance_of(all) * count / (count - 1.0) : 0.0;
  const double scale = 1.0 / std::sqrt(variance + 1e-8);
  for (const std::span<double> each : advantages)
    for (double& advantage : each) advantage = (advantage - mean) * scale;
}

ValueLoss value_loss(double value, double before, double wanted, double clip) {
  const double held = std::clamp(value, before - clip, before + clip);
  const double free_loss = 0.5 * (value - wanted) * (value - wanted);
  const double held_loss = 0.5 * (held - wanted) * (held - wanted);
  // Where the held one is more, it is past a bound, where it does not change with the value.
  if (held_loss > free_loss) return {held_loss, 0.0, true};
  return {free_loss, value - wanted, false};
}

double explained_variance(std::span<const double> returns, std::span<const double> values) {
  const double all = variance_of(returns);
  if (all == 0.0) return 0.0;
  std::vector<double> rest(returns.size());
  for (size_t i = 0; i < rest.size(); ++i) rest[i] = returns[i] - values[i];
  return 1.0 - variance_of(rest) / all;
}

void KlControl::follow(double kl, int64_t answers) {
  if (target <= 0.0) return;
  const double error = std::clamp(kl / target - 1.0, -0.2, 0.2);
  weight *= 1.0 + error * static_cast<double>(answers) / horizon;
}

}  // namespace quern::align
