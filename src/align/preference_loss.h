// Losses on a preference: what is lost on one pair of answers, as a function of their log-probabilities alone.
//
//   D  = (log p(chosen) - log p_ref(chosen)) - (log p(rejected) - log p_ref(rejected))
//   m  = mean log-probability of an answer's tokens
//
//   sigmoid  -(1 - e) log s(b D) - e log s(-b D)        DPO (arXiv 2305.18290); e: label smoothing (cDPO)
//   robust   [-(1 - e) log s(b D) + e log s(-b D)] / (1 - 2e)         (arXiv 2403.00409)
//   hinge    max(0, 1 - b D)                            SLiC (arXiv 2305.10425), RSO (arXiv 2309.06657)
//   ipo      (D of means per token - 1 / 2b)^2          (arXiv 2310.12036), per token as its authors advised TRL
//   orpo     -b log s(log odds(m chosen) - log odds(m rejected)), odds = e^m / (1 - e^m)   (arXiv 2403.07691)
//   simpo    -log s(b (m chosen - m rejected) - gamma)  (arXiv 2405.14734)
//
// Losses and derivatives are in double, so that gradients of models are one product away: autograd::backward() of the
// tokens' log-probabilities, seeded with these derivatives.
#pragma once

#include <cstdint>

namespace quern::align {

enum class PairLossKind { sigmoid, robust, hinge, ipo, orpo, simpo };

// Whether it compares with what a reference model says.
bool has_reference(PairLossKind kind);

struct PairLossOptions {
  PairLossKind kind = PairLossKind::sigmoid;
  double beta = 0.1;
  double gamma = 1.0;            // of simpo
  double label_smoothing = 0.0;  // of sigmoid and robust; below 0.5
};

// Of one answer: natural logarithms, summed over its tokens.
struct AnswerLogProb {
  double sum = 0.0;
  double reference = 0.0;  // of the reference model; 0: there is none
  int64_t tokens = 0;

  double mean() const { return sum / static_cast<double>(tokens); }
};

struct PairLoss {
  double loss = 0.0;
  double d_chosen = 0.0, d_rejected = 0.0;  // the derivatives by AnswerLogProb::sum
  // What the loss takes the answers to be worth; above 0 in difference where the preferred one wins.
  double chosen_reward = 0.0, rejected_reward = 0.0;

  double margin() const { return chosen_reward - rejected_reward; }
};

// Preconditions: both answers have tokens; kinds without a reference are given none.
PairLoss pair_loss(const AnswerLogProb& chosen, const AnswerLogProb& rejected,
                   const PairLossOptions& options);

}  // namespace quern::align
