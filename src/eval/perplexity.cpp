#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quern::eval {

namespace {

template <class F>
std::vector<double> column(const ScoredText& scored, F value) {
  std::vector<double> values;
  values.reserve(scored.tokens.size());
  for (const TokenScore& token : scored.tokens) values.push_back(value(token));
  return values;
}

constexpr double kQuantiles[] = {1.0, 0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001, 0.0};

std::vector<Quantile> quantiles(std::vector<double> values) {
  std::ranges::sort(values);
  std::vector<Quantile> result;
  for (const double q : kQuantiles) result.push_back({q, quantile(values, q)});
  return result;
}

// sqrt of the mean of squares.
Estimate root_mean_square(std::vector<double> values) {
  for (double& value : values) value *= value;
  const Estimate square = mean_of(values);
  const double root = std::sqrt(square.value);
  return through(square, root, root > 0.0 ? 0.5 / root : 0.0);
}

}  // namespace

PerplexityFigures perplexity_figures(const ScoredText& scored) {
  PerplexityFigures figures;
  figures.tokens = static_cast<int64_t>(scored.tokens.size());
  figures.bytes = scored.bytes;
  figures.loss = mean_of(column(scored, [](const TokenScore& t) { return t.nll; }));
  figures.perplexity = exponential(figures.loss);
  if (figures.bytes > 0) {
    const double bits =
        static_cast<double>(figures.tokens) / static_cast<double>(figures.bytes) / std::numbers::ln2;
    figures.bits_per_byte = through(figures.loss, figures.loss.value * bits, bits);
  }
  return figures;
}

ComparisonFigures comparison_figures(const ScoredText& scored) {
  const auto loss = column(scored, [](const TokenScore& t) { return t.nll; });
  const auto base_loss = column(scored, [](const TokenScore& t) { return t.base_nll; });
  const auto kl = column(scored, [](const TokenScore& t) { return t.kl; });
  const auto delta_p =
      column(scored, [](const TokenScore& t) { return std::exp(-t.nll) - std::exp(-t.base_nll); });
  ComparisonFigures figures;
  figures.perplexity = exponential(mean_of(loss));
  figures.base_perplexity = exponential(mean_of(base_loss));
  figures.correlation = correlation(loss, base_loss);
  figures.log_ratio = mean_of(column(scored, [](const TokenScore& t) { return t.nll - t.base_nll; }));
  figures.ratio = exponential(figures.log_ratio);
  // To first order the difference of perplexities is the mean of what each token adds to it.
  const double p = figures.perplexity.value, base_p = figures.base_perplexity.value;
  figures.difference = {
      p - base_p,
      mean_of(column(scored, [&](const TokenScore& t) { return p * t.nll - base_p * t.base_nll; })).error};
  figures.kl = mean_of(kl);
  figures.kl_quantiles = quantiles(kl);
  figures.delta_p = mean_of(delta_p);
  figures.delta_p_quantiles = quantiles(delta_p);
  figures.delta_p_rms = root_mean_square(delta_p);
  figures.same_top = mean_of(column(scored, [](const TokenScore& t) { return t.same_top ? 1.0 : 0.0; }));
  return figures;
}

}  // namespace quern::eval
