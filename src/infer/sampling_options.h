// How the next token is chosen.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/config.h"

namespace quern::infer {

// "Don't repeat yourself" (text-generation-webui #5677): a token that would continue a repetition of n tokens, n at least
// `allowed`, loses multiplier * base^(n - allowed).
struct DryOptions {
  double multiplier = 0.0;  // 0: off
  double base = 1.75;
  int64_t allowed = 2;
  int64_t last_n = -1;                 // tokens to look back; negative: all
  std::vector<int32_t> breakers = {};  // tokens that no repetition reaches across

  void fields(Fields& f);
};

// Applied in this order, as Hugging Face transformers does where it knows them: bias, penalties, top-n-sigma, temperature,
// top-k, top-p, min-p, typical, XTC. Each truncation sees the distribution that the one before left, renormalised. Neutral
// values switch a step off. Mirostat takes the place of the truncations.
struct SamplingOptions {
  double temperature = 1.0;  // 0: the likeliest token (ties: the smallest id)
  int64_t top_k = 0;         // keep the k likeliest; 0: all
  double top_p = 1.0;      // nucleus (Holtzman et al. 2020, arXiv 1904.09751): fewest tokens with this total
  double min_p = 0.0;      // keep tokens with at least this share of the likeliest one's (arXiv 2407.01082)
  double typical_p = 1.0;  // locally typical (Meister et al. 2023, arXiv 2202.00666)
  double repetition_penalty =
      1.0;  // divides positive and multiplies negative logits of seen tokens (arXiv 1909.05858)
  double presence_penalty = 0.0;   // subtracted from logits of generated tokens (OpenAI)
  double frequency_penalty = 0.0;  // subtracted once per time generated (OpenAI)
  int64_t repeat_last_n = -1;      // tokens that these three look back; negative: all
  double top_n_sigma =
      0.0;  // keep logits within n standard deviations of the largest (arXiv 2411.07641); 0: all
  // "Exclude top choices" (text-generation-webui #6335): with this probability, of the tokens with at least the
  // threshold only the least likely stays.
  double xtc_probability = 0.0;
  double xtc_threshold = 0.1;
  // Mirostat (Basu et al. 2021, arXiv 2007.14966), version 1 or 2: keeps the surprise near tau bits; 0: off.
  int64_t mirostat = 0;
  double mirostat_tau = 5.0;
  double mirostat_eta = 0.1;
  DryOptions dry = DryOptions();
  std::vector<std::pair<int32_t, float>> logit_bias =
      {};  // added to the logits of tokens; minus infinity forbids
  uint64_t seed = 0;

  void fields(Fields& f);
};

}  // namespace quern::infer
