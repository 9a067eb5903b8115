#include "align/preference_loss.h"

#include <algorithm>
#include <cmath>

#include "align/logistic.h"

namespace quern::align {

namespace {

// A loss of one number, and its derivative.
struct Slope {
  double loss, d;
};

// -(1 - e) log s(x) - sign e log s(-x)
Slope smoothed(double x, double e, double sign) {
  return {-(1.0 - e) * log_sigmoid(x) - sign * e * log_sigmoid(-x),
          -(1.0 - e) * sigmoid(-x) + sign * e * sigmoid(x)};
}

// Of the scaled difference of the log-ratios, b D.
Slope of_difference(double x, const PairLossOptions& o) {
  if (o.kind == PairLossKind::hinge) return {std::max(0.0, 1.0 - x), x < 1.0 ? -1.0 : 0.0};
  if (o.kind == PairLossKind::sigmoid) return smoothed(x, o.label_smoothing, 1.0);
  const Slope slope = smoothed(x, o.label_smoothing, -1.0);
  const double scale = 1.0 / (1.0 - 2.0 * o.label_smoothing);
  return {scale * slope.loss, scale * slope.d};
}

// log(e^m / (1 - e^m)) of a mean log-probability, and its derivative 1 / (1 - e^m). An answer that is certain has no
// finite odds: it counts as one whose chance of another is the smallest that a float tells from none.
Slope log_odds(double mean) {
  constexpr double kCertain = -0x1p-24;
  const double m = std::min(mean, kCertain);
  const double other = -std::expm1(m);  // 1 - e^m
  return {m - std::log(other), 1.0 / other};
}

PairLoss of_means(const AnswerLogProb& chosen, const AnswerLogProb& rejected, const PairLossOptions& o) {
  const double chosen_share = 1.0 / static_cast<double>(chosen.tokens);
  const double rejected_share = 1.0 / static_cast<double>(rejected.tokens);
  if (o.kind == PairLossKind::ipo) {
    const double chosen_ratio = (chosen.sum - chosen.reference) * chosen_share;
    const double rejected_ratio = (rejected.sum - rejected.reference) * rejected_share;
    const double distance = chosen_ratio - rejected_ratio - 0.5 / o.beta;
    return {distance * distance, 2.0 * distance * chosen_share, -2.0 * distance * rejected_share,
            o.beta * chosen_ratio, o.beta * rejected_ratio};
  }
  if (o.kind == PairLossKind::simpo) {
    const double x = o.beta * (chosen.mean() - rejected.mean()) - o.gamma;
    const double d = -o.beta * sigmoid(-x);
    return {-log_sigmoid(x), d * chosen_share, -d * rejected_share, o.beta * chosen.mean(),
            o.beta * rejected.mean()};
  }
  const Slope win = log_odds(chosen.mean()), lose = log_odds(rejected.mean());
  const double x = win.loss - lose.loss, d = -o.beta * sigmoid(-x);
  return {-o.beta * log_sigmoid(x), d * win.d * chosen_share, -d * lose.d * rejected_share,
          o.beta * chosen.mean(), o.beta * rejected.mean()};
}

}  // namespace

bool has_reference(PairLossKind kind) { return kind != PairLossKind::orpo && kind != PairLossKind::simpo; }

PairLoss pair_loss(const AnswerLogProb& chosen, const AnswerLogProb& rejected, const PairLossOptions& o) {
  if (o.kind == PairLossKind::ipo || !has_reference(o.kind)) return of_means(chosen, rejected, o);
  const double chosen_ratio = chosen.sum - chosen.reference;
  const double rejected_ratio = rejected.sum - rejected.reference;
  const Slope slope = of_difference(o.beta * (chosen_ratio - rejected_ratio), o);
  return {slope.loss, o.beta * slope.d, -o.beta * slope.d, o.beta * chosen_ratio, o.beta * rejected_ratio};
}

}  // namespace quern::align
