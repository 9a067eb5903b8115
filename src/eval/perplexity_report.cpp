#include "eval/perplexity_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>

#include "report/page.h"
#include "report/scripts.h"
#include "text/unicode.h"

namespace quern::eval {

using Json = nlohmann::ordered_json;

namespace {

constexpr size_t kHardest = 40;
constexpr size_t kPassage = 2000;  // tokens
constexpr uint32_t kBefore = 80;   // bytes of text before a token

Json to_json(const std::vector<Quantile>& quantiles) {
  Json rows = Json::array();
  for (const Quantile& quantile : quantiles) rows.push_back({{"q", quantile.q}, {"value", quantile.value}});
  return rows;
}

std::string_view between(const EvaluationText& text, uint32_t begin, uint32_t end) {
  return std::string_view(text.text).substr(begin, end - begin);
}

// Which tokens to look at first.
template <class Measure>
Json hardest(const EvaluationText& text, const ScoredText& scored, bool compared, const Measure& measure) {
  std::vector<size_t> order(scored.tokens.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t count = std::min(kHardest, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count), std::ranges::greater(),
                            [&](size_t i) { return measure(scored.tokens[i]); });
  Json rows = Json::array();
  for (size_t i = 0; i < count; ++i) {
    const TokenScore& token = scored.tokens[order[i]];
    const text::Span span = text.spans[static_cast<size_t>(token.position)];
    Json row = {{"before", between(text, span.begin - std::min(span.begin, kBefore), span.begin)},
                {"token", between(text, span.begin, span.end)},
                {"position", token.position},
                {"p", std::exp(-token.nll)}};
    if (compared) row.update({{"base_p", std::exp(-token.base_nll)}, {"kl", token.kl}});
    rows.push_back(std::move(row));
  }
  return rows;
}

// The first scored tokens as [text, measure]: those that share a character are one piece.
template <class Measure>
Json passage(const EvaluationText& text, const ScoredText& scored, const Measure& measure) {
  Json pieces = Json::array();
  std::string held;
  double sum = 0.0;
  for (size_t i = 0; i < std::min(kPassage, scored.tokens.size()); ++i) {
    const TokenScore& token = scored.tokens[i];
    const text::Span span = text.spans[static_cast<size_t>(token.position)];
    held += between(text, span.begin, span.end);
    sum += measure(token);
    if (text::incomplete_utf8_suffix(held) > 0) continue;
    pieces.push_back({held, sum});
    held.clear();
    sum = 0.0;
  }
  return pieces;
}

}  // namespace

Json to_json(const Estimate& estimate) { return {{"value", estimate.value}, {"error", estimate.error}}; }

Json to_json(const PerplexityFigures& figures) {
  return {{"tokens", figures.tokens},
          {"bytes", figures.bytes},
          {"loss", to_json(figures.loss)},
          {"perplexity", to_json(figures.perplexity)},
          {"bits_per_byte", to_json(figures.bits_per_byte)}};
}

Json to_json(const ComparisonFigures& figures) {
  return {{"perplexity", to_json(figures.perplexity)},
          {"base_perplexity", to_json(figures.base_perplexity)},
          {"correlation", figures.correlation},
          {"log_ratio", to_json(figures.log_ratio)},
          {"ratio", to_json(figures.ratio)},
          {"difference", to_json(figures.difference)},
          {"kl", to_json(figures.kl)},
          {"kl_quantiles", to_json(figures.kl_quantiles)},
          {"delta_p", to_json(figures.delta_p)},
          {"delta_p_rms", to_json(figures.delta_p_rms)},
          {"delta_p_quantiles", to_json(figures.delta_p_quantiles)},
          {"same_top", to_json(figures.same_top)}};
}

Json to_json(const std::vector<RunningEstimate>& running) {
  Json rows = Json::array();
  for (const RunningEstimate& estimate : running)
    rows.push_back({{"tokens", estimate.tokens}, {"perplexity", to_json(exponential(estimate.loss))}});
  return rows;
}

Result<void> write_perplexity_report(const std::filesystem::path& path, Json summary,
                                     const EvaluationText& text, const ScoredText& scored) {
  const bool compared = summary.contains("against");
  const auto measure = [compared](const TokenScore& token) { return compared ? token.kl : token.nll; };
  summary["hardest"] = hardest(text, scored, compared, measure);
  summary["passage"] = passage(text, scored, measure);
  return report::write_page(path, assets::report_perplexity_js, std::move(summary));
}

}  // namespace quern::eval
