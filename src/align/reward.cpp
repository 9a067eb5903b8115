#include "align/reward.h"

#include <fmt/format.h>

#include <cmath>

#include "align/mean.h"

namespace quern::align {

Result<Rewards::Scores> Rewards::score(std::span<const Answered> answers) const {
  Scores scores;
  scores.total.assign(answers.size(), 0.0);
  for (const Part& part : parts_) {
    Result<std::vector<double>> values = part.reward->score(answers);
    if (!values.ok()) return std::move(values).error().within("reward " + part.name);
    for (size_t i = 0; i < answers.size(); ++i) {
      const double value = (*values)[i];
      if (!std::isfinite(value))
        return make_error(ErrorCode::invalid_argument,
                          fmt::format("reward {}: expected a finite number, got {}", part.name, value));
      scores.total[i] += part.weight * value;
    }
    scores.parts.push_back(*std::move(values));
  }
  return scores;
}

std::vector<std::pair<std::string, double>> Rewards::weights() const {
  std::vector<std::pair<std::string, double>> weights;
  for (const Part& part : parts_) weights.emplace_back(part.name, part.weight);
  return weights;
}

std::vector<std::pair<std::string, double>> Rewards::means(const Scores& scores) const {
  std::vector<std::pair<std::string, double>> means;
  for (size_t i = 0; i < parts_.size() && parts_.size() > 1; ++i) {
    means.emplace_back("reward_" + parts_[i].name, mean_of(scores.parts[i]));
  }
  return means;
}

}  // namespace quern::align
