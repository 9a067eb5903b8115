#include "engine/pass_costs.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quern::engine {

namespace {
constexpr int64_t kFew = 3;          // passes after which an average is worth something
constexpr double kLatestPass = 0.2;  // of the latest pass, at least
constexpr double kStale = 256;       // passes after which an average is worth nothing
constexpr double kSlope = 0.05;      // of the smallest pass, that a token more takes where nobody knows
constexpr double kLeast = 1e-9;      // seconds: clocks may stand still
}  // namespace

void PassCosts::add(int64_t tokens, double seconds) {
  ++passes_;
  auto found = costs_.find(tokens);
  if (found == costs_.end()) {
    Cost first{.last = passes_};
    if (knows(tokens)) first = {.seconds = this->seconds(tokens), .passes = kFew, .last = passes_};
    found = costs_.emplace(tokens, first).first;
  }
  Cost& cost = found->second;
  const double age = static_cast<double>(passes_ - std::exchange(cost.last, passes_)) / kStale;
  const double weight = std::max({kLatestPass, 1.0 / static_cast<double>(++cost.passes), std::min(age, 1.0)});
  if (cost.passes > 1) seconds = std::min(seconds, 2.0 * cost.seconds);
  cost.seconds += weight * (std::max(seconds, kLeast) - cost.seconds);
}

bool PassCosts::knows(int64_t tokens) const {
  return !costs_.empty() && costs_.begin()->first <= tokens && costs_.begin()->second.passes >= kFew;
}

double PassCosts::seconds(int64_t tokens) const {
  const auto above = costs_.lower_bound(tokens);
  if (above == costs_.end()) {
    const auto& [largest, cost] = *costs_.rbegin();
    return cost.seconds + kSlope * costs_.begin()->second.seconds * static_cast<double>(tokens - largest);
  }
  if (above->first == tokens) return above->second.seconds;
  const auto below = std::prev(above);
  const double share =
      static_cast<double>(tokens - below->first) / static_cast<double>(above->first - below->first);
  return below->second.seconds + share * (above->second.seconds - below->second.seconds);
}

}  // namespace quern::engine
