// The figures of a scored text: perplexity and bits per byte of one model, and the distance of two.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/text_scorer.h"

namespace quern::eval {

// Loss is in nats per token; bits per byte does not depend on the tokenizer and may be compared across models.
struct PerplexityFigures {
  int64_t tokens = 0;  // scored
  int64_t bytes = 0;   // that they stand for
  Estimate loss;
  Estimate perplexity;
  Estimate bits_per_byte;  // 0 without bytes
};

PerplexityFigures perplexity_figures(const ScoredText& scored);

struct Quantile {
  double q;  // 0 the least, 1 the greatest
  double value;
};

// How a model differs from its base over the same tokens: the statistics of llama.cpp's perplexity tool with
// --kl-divergence. A probability difference is p(token) of the model minus that of the base.
struct ComparisonFigures {
  Estimate perplexity, base_perplexity;
  double correlation = 0.0;  // of the losses
  Estimate log_ratio;        // ln(perplexity / base perplexity)
  Estimate ratio, difference;
  Estimate kl;
  Estimate delta_p;
  Estimate delta_p_rms;
  // The same q in both, from the greatest to the least.
  std::vector<Quantile> kl_quantiles, delta_p_quantiles;
  Estimate same_top;  // share of the tokens
};

// Precondition: `scored` was compared with a base.
ComparisonFigures comparison_figures(const ScoredText& scored);

}  // namespace quern::eval
