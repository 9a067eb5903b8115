// The loss of a reward model on a preference (Bradley and Terry 1952; InstructGPT, arXiv 2203.02155), and how well its
// rewards say which answer is preferred.
//
//   -log s(r_w - r_l - margin) + c (r_w + r_l)^2
//
// r_w, r_l: the rewards of the preferred and the other answer; margin: how far they should be apart (Llama 2, arXiv
// 2307.09288); c keeps rewards near 0, since the first term knows their difference alone (arXiv 2312.09244).
#pragma once

#include <array>
#include <cstdint>

namespace quern::align {

struct RewardLossOptions {
  double center = 0.0;  // c; TRL's center_rewards_coefficient
};

struct RewardLoss {
  double loss = 0.0;
  double d_chosen = 0.0, d_rejected = 0.0;  // the derivatives by the rewards
};

RewardLoss reward_loss(double chosen, double rejected, double margin, const RewardLossOptions& options);

// What rewards say of pairs, s(r_w - r_l) that the first answer is preferred, against what is so.
class RewardCalibration {
 public:
  void add(double chosen, double rejected);

  // Preconditions of all: pairs were added.
  double accuracy() const;  // how often the preferred answer is worth more; a tie is half
  // The expected calibration error (Guo et al. 2017, arXiv 1706.04599): a pair's confidence is max(p, 1 - p), in one of 10
  // bins of [0.5, 1]; the distance of mean confidence and accuracy in each, weighted by its pairs.
  double calibration_error() const;
  double brier() const;  // mean (1 - p)^2

 private:
  struct Bin {
    double confidence = 0.0, wins = 0.0;  // sums
  };
  std::array<Bin, 10> bins_;
  int64_t pairs_ = 0;
  double squares_ = 0.0;
};

}  // namespace quern::align
