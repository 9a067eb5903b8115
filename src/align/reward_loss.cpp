#include "align/reward_loss.h"

#include <algorithm>
#include <cmath>

#include "align/logistic.h"

namespace quern::align {

RewardLoss reward_loss(double chosen, double rejected, double margin, const RewardLossOptions& options) {
  const double x = chosen - rejected - margin, sum = chosen + rejected;
  const double d = -sigmoid(-x), d_sum = 2.0 * options.center * sum;
  return {-log_sigmoid(x) + options.center * sum * sum, d + d_sum, -d + d_sum};
}

void RewardCalibration::add(double chosen, double rejected) {
  const double difference = chosen - rejected;
  const double confidence = sigmoid(std::fabs(difference));
  const auto count = static_cast<double>(bins_.size());
  const double place = std::floor((confidence - 0.5) / 0.5 * count);
  Bin& bin = bins_[static_cast<size_t>(std::clamp(place, 0.0, count - 1.0))];
  bin.confidence += confidence;
  bin.wins += difference > 0.0 ? 1.0 : difference == 0.0 ? 0.5 : 0.0;
  ++pairs_;
  const double miss = sigmoid(-difference);
  squares_ += miss * miss;
}

double RewardCalibration::accuracy() const {
  double wins = 0.0;
  for (const Bin& bin : bins_) wins += bin.wins;
  return wins / static_cast<double>(pairs_);
}

double RewardCalibration::calibration_error() const {
  double distance = 0.0;
  for (const Bin& bin : bins_) distance += std::fabs(bin.confidence - bin.wins);
  return distance / static_cast<double>(pairs_);
}

double RewardCalibration::brier() const { return squares_ / static_cast<double>(pairs_); }

}  // namespace quern::align
