#include "plan/scaling_law.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "plan/minimize.h"

namespace quern::plan {

double ChinchillaLaw::loss(double parameters, double tokens) const {
  return e + a / std::pow(parameters, alpha) + b / std::pow(tokens, beta);
}

ChinchillaLaw::Optimum ChinchillaLaw::optimum(double flops) const {
  const double g = std::pow(alpha * a / (beta * b), 1.0 / (alpha + beta));
  const double parameters = g * std::pow(flops / 6.0, beta / (alpha + beta));
  const double tokens = flops / 6.0 / parameters;
  return {parameters, tokens, loss(parameters, tokens)};
}

double KaplanLaw::loss(double parameters, double tokens) const {
  return std::pow(std::pow(nc / parameters, alpha_n / alpha_d) + dc / tokens, alpha_d);
}

ChinchillaLaw::Optimum KaplanLaw::optimum(double flops) const {
  // The loss is unimodal in log N: golden-section search between one parameter and one token.
  const auto at = [&](double log_n) { return loss(std::exp(log_n), flops / 6.0 / std::exp(log_n)); };
  const double log_n = golden_section(at, 0.0, std::log(flops / 6.0));
  const double parameters = std::exp(log_n);
  return {parameters, flops / 6.0 / parameters, at(log_n)};
}

ChinchillaLaw::Optimum KaplanLaw::advised(double flops) const {
  constexpr double kPetaflopDay = 1e15 * 86400.0;
  const double parameters = 1.3e9 * std::pow(flops / kPetaflopDay, 0.73);
  const double tokens = flops / 6.0 / parameters;
  return {parameters, tokens, loss(parameters, tokens)};
}

ChinchillaLaw::Optimum rule_of_twenty(double flops, const ChinchillaLaw& law) {
  const double parameters = std::sqrt(flops / (6.0 * kTokensPerParameter));
  const double tokens = kTokensPerParameter * parameters;
  return {parameters, tokens, law.loss(parameters, tokens)};
}

namespace {

// The law in the coordinates Hoffmann et al. fit in: log a, log b, log e, alpha, beta keep every term
// positive.
ChinchillaLaw law_of(std::span<const double> x) {
  return {std::exp(x[2]), std::exp(x[0]), std::exp(x[1]), x[3], x[4]};
}

double huber(double residual) {
  constexpr double kDelta = 1e-3;
  const double size = std::abs(residual);
  return size <= kDelta ? 0.5 * size * size : kDelta * (size - 0.5 * kDelta);
}

double mean_huber(std::span<const double> x, std::span<const MeasuredRun> runs) {
  const ChinchillaLaw law = law_of(x);
  double sum = 0.0;
  for (const MeasuredRun& run : runs) {
    sum += huber(std::log(law.loss(run.parameters, run.tokens) / run.loss));
  }
  return std::isfinite(sum) ? sum / static_cast<double>(runs.size()) : HUGE_VAL;
}

Result<void> check_runs(std::span<const MeasuredRun> runs) {
  std::set<double> sizes, lengths;
  for (const MeasuredRun& run : runs) {
    if (!(run.parameters > 0 && run.tokens > 0 && run.loss > 0)) {
      return make_error(
          ErrorCode::invalid_argument,
          fmt::format("scaling-law fit: expected positive parameters, tokens and loss, got {}, {}, {}",
                      run.parameters, run.tokens, run.loss));
    }
    sizes.insert(run.parameters);
    lengths.insert(run.tokens);
  }
  if (runs.size() < 5 || sizes.size() < 3 || lengths.size() < 3) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("scaling-law fit: expected at least 5 runs over 3 sizes and 3 token counts, got {} runs "
                    "over {} and {}",
                    runs.size(), sizes.size(), lengths.size()),
        "five numbers are fitted; train more and smaller models for different lengths");
  }
  return {};
}

}  // namespace

Result<Fit> fit_chinchilla(std::span<const MeasuredRun> runs) {
  QUERN_CHECK(check_runs(runs));
  const auto objective = [&](std::span<const double> x) { return mean_huber(x, runs); };
  std::vector<double> best;
  double best_value = HUGE_VAL;
  for (const double log_a : {2.0, 6.0, 10.0}) {
    for (const double log_e : {-0.5, 0.5}) {
      for (const double exponent : {0.2, 0.4, 0.7}) {
        std::vector<double> x = nelder_mead(objective, {log_a, log_a, log_e, exponent, exponent});
        if (const double value = objective(x); value < best_value) {
          best_value = value;
          best = std::move(x);
        }
      }
    }
  }
  Fit fit{law_of(best), best_value, 0.0};
  if (!(fit.law.alpha > 0.0 && fit.law.beta > 0.0)) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("scaling-law fit: expected losses that fall with parameters and tokens, got "
                    "exponents {:.3g} and {:.3g}",
                    fit.law.alpha, fit.law.beta),
        "use final validation losses of runs whose learning rate decayed to the end");
  }
  for (const MeasuredRun& run : runs) {
    fit.max_error = std::max(fit.max_error, std::abs(fit.law.loss(run.parameters, run.tokens) - run.loss));
  }
  return fit;
}

}  // namespace quern::plan
