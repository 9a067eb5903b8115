// Scaling laws: loss as a function of parameters N and training tokens D, compute-optimal sizes, and fits to
// measured runs. Losses are in nats per token.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace quern::plan {

// L(N, D) = e + a / N^alpha + b / D^beta (Hoffmann et al. 2022, arXiv 2203.15556, equation 2).
struct ChinchillaLaw {
  double e, a, b, alpha, beta;

  double loss(double parameters, double tokens) const;
  // N and D that minimise the loss at C = 6 N D floating-point operations (equation 4).
  struct Optimum {
    double parameters;
    double tokens;
    double loss;
  };
  Optimum optimum(double flops) const;
};

// Hoffmann et al. 2022, approach 3 as printed.
inline constexpr ChinchillaLaw kHoffmann{1.69, 406.4, 410.7, 0.34, 0.28};
// The same data refitted by Besiroglu et al. 2024 (arXiv 2404.10102), whose optimum agrees with approaches 1
// and 2: about 20 tokens per parameter.
inline constexpr ChinchillaLaw kBesiroglu{1.8172, 482.01, 2085.43, 0.3478, 0.3658};

// L(N, D) = ((nc/N)^(alpha_n/alpha_d) + dc/D)^alpha_d (Kaplan et al. 2020, arXiv 2001.08361, equation 1.5; N
// without embeddings).
struct KaplanLaw {
  double alpha_n = 0.076, alpha_d = 0.103, nc = 6.4e13, dc = 1.8e13;

  double loss(double parameters, double tokens) const;
  // Minimises the loss at C = 6 N D numerically (the law has no closed optimum).
  ChinchillaLaw::Optimum optimum(double flops) const;
  // What the paper advises, from runs it stopped early: N = 1.3e9 (C / 1 PF-day)^0.73 (table 6).
  ChinchillaLaw::Optimum advised(double flops) const;
};

struct MeasuredRun {
  double parameters;
  double tokens;
  double loss;
};

struct Fit {
  ChinchillaLaw law;
  double huber;      // mean Huber loss of the logarithms at the optimum
  double max_error;  // largest |predicted - measured| in nats
};

// Tokens per parameter of the compute-optimal models of Hoffmann et al. 2022 (approaches 1 and 2, table 3).
inline constexpr double kTokensPerParameter = 20.0;
// Spends `flops` at C = 6 N D with that ratio; the loss is that of `law`.
ChinchillaLaw::Optimum rule_of_twenty(double flops, const ChinchillaLaw& law);

// Fits the Chinchilla form: minimises the Huber loss (delta 1e-3) between log predicted and log measured
// losses from a grid of starts, as Hoffmann et al. do. Errors: invalid_argument for fewer than five runs, three
// sizes or three token counts, and for runs whose best law does not fall with size and tokens.
Result<Fit> fit_chinchilla(std::span<const MeasuredRun> runs);

}  // namespace quern::plan
