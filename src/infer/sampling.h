// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/config.h"
#include "base/rng.h"

namespace quern::infer {

// Applied in this order, as Hugging Face transformers does: penalties, temperature, top-k, top-p, min-p,
// typical. Each truncation sees the distribution that the one before left, renormalised. Neutral values
// switch a step off.
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
  uint64_t seed = 0;

  void fields(Fields& f);
};

// What penalties look at: the repetition penalty counts prompt and output, the other two the output only.
class TokenHistory {
 public:
  void add_prompt(std::span<const int32_t> tokens) {
    for (const int32_t token : tokens) counts_.try_emplace(token, 0);
  }
  void add_output(int32_t token) { ++counts_[token]; }
  // Every token seen, with how often it was generated.
  const std::unordered_map<int32_t, int64_t>& counts() const { return counts_; }

 private:
  std::unordered_map<int32_t, int64_t> counts_;
};

// The logarithm of the sum of e^logit. Throws Exception(corrupt) where a logit is NaN or the largest is infinite: the
// weights are damaged, or overflowed the dtype.
double log_sum_exp(std::span<const float> logits);

struct SampledToken {
  int32_t id = 0;
  double logprob = 0.0;  // under the model itself: log-softmax of the logits as they came
};

// One per sequence. A choice depends on the logits, the history, the seed, `stream` (which of several answers
// to one prompt) and how many tokens came before: never on other sequences. Not thread-safe.
class Sampler {
 public:
  explicit Sampler(SamplingOptions options, uint64_t stream = 0)
      : options_(options), rng_(options.seed, stream) {}

  // Minus infinity forbids a token. Throws as log_sum_exp does.
  SampledToken sample(std::span<const float> logits, const TokenHistory& history);

 private:
  SamplingOptions options_;
  Rng rng_;
};

}  // namespace quern::infer
