// Losses on answers that the model gave itself: what is lost on one token, as a function of its log-probabilities alone.
//
//   A    = (r - mean r) / (std r + 1e-4), over the answers to one prompt; the same for all tokens of an answer
//   rho  = p / p_before, of the token now and when the answer was given
//   L    = -min(rho A, clip(rho, 1 - low, 1 + high) A) + beta (e^d - d - 1),  d = log p_ref - log p
//
// GRPO (arXiv 2402.03300); clipping further above than below is DAPO's (arXiv 2503.14476). The last term is an estimate
// of KL(p | p_ref) from one sample that is never negative (k3). How tokens make a step:
//
//   grpo     the mean over answers of the mean over their tokens
//   dapo     the mean over all tokens of the step: long answers count for more
//   dr_grpo  the sum over tokens, divided by answers * max_tokens: no length is favoured (arXiv 2503.20783)
//
// Losses and derivatives are in double, as those of preference_loss.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quern::align {

struct PolicyLossOptions {
  double clip_low = 0.2, clip_high = 0.2;
  double beta = 0.0;  // 0: no reference
};

// Of one token: natural logarithms.
struct TokenLogProb {
  double now = 0.0;
  double before = 0.0;     // when the answer was given
  double reference = 0.0;  // unused where beta is 0
};

struct PolicyLoss {
  double loss = 0.0;
  double d = 0.0;        // the derivative by TokenLogProb::now
  double kl = 0.0;       // the estimate, before beta; 0 without a reference
  bool clipped = false;  // the ratio is past the bound that its advantage would push it over
};

PolicyLoss policy_loss(const TokenLogProb& token, double advantage, const PolicyLossOptions& options);

enum class Aggregation { grpo, dapo, dr_grpo };

// All answers of a step, whichever micro-batch they are in.
struct StepAnswers {
  int64_t answers = 0;
  int64_t tokens = 0;      // of them all
  int64_t max_tokens = 0;  // that an answer may have
};

// What the loss of a token of an answer of `tokens` tokens counts for in that of the step.
double token_share(Aggregation aggregation, int64_t tokens, const StepAnswers& step);

// Of the answers to one prompt, what each is worth beside the others. `scaled`: divided by their standard deviation (with
// n - 1) plus 1e-4. All 0 where the rewards are equal. Precondition: at least two.
std::vector<double> group_advantages(std::span<const double> rewards, bool scaled);

}  // namespace quern::align
