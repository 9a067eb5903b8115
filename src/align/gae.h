// What proximal policy optimisation (PPO, arXiv 1707.06347; of language models 1909.08593, 2203.02155) makes of the reward of
// an answer: rewards of its tokens, their advantages, what values are learnt towards, and what is lost on a value.
//
//   r_t = -c (log p(t) - log p_ref(t)), and the answer's reward at its last token
//   delta_t = r_t + gamma V(t+1) - V(t),  A(t) = delta_t + gamma lambda A(t+1),  R(t) = A(t) + V(t)     (arXiv 1506.02438)
//
// V(t) is the value before token t is said, and 0 after the last one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quern::align {

// r_t of the tokens of one answer, from their log-probabilities and those of the reference; c: `kl_weight`.
std::vector<double> shaped_rewards(std::span<const double> log_probs, std::span<const double> reference,
                                   double reward, double kl_weight);

struct GaeOptions {
  double gamma = 1.0;
  double lambda = 0.95;
};

struct Gae {
  std::vector<double> advantages;  // A
  std::vector<double> returns;     // R
};

// Of the tokens of one answer.
Gae advantages_of(std::span<const double> rewards, std::span<const double> values, const GaeOptions& options);

// (A - mean) / sqrt(variance + 1e-8) over all tokens of all answers together, with n - 1; one token alone becomes 0.
void whiten(std::span<const std::span<double>> advantages);

// What is lost on one value: (V - R)^2 / 2, or that of V no further than `clip` from what it was before, whichever is more.
struct ValueLoss {
  double loss = 0.0;
  double d = 0.0;        // the derivative by V
  bool clipped = false;  // it is the latter
};
ValueLoss value_loss(double value, double before, double wanted, double clip);

// 1 - variance(R - V) / variance(R): 1 where values say all, 0 where they say nothing; 0 where R does not vary.
double explained_variance(std::span<const double> returns, std::span<const double> values);

// The weight of the distance to the reference: fixed, or led towards a distance (arXiv 1909.08593, 2.2).
struct KlControl {
  double weight = 0.05;
  double target = 0.0;       // of the distance of a whole answer, in nats; 0: the weight is fixed
  double horizon = 10000.0;  // answers over which it gives way

  // After `answers` answers whose mean distance was `kl`.
  void follow(double kl, int64_t answers);
};

}  // namespace quern::align
