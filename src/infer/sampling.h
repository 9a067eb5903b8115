// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "infer/penalties.h"
#include "infer/sampling_options.h"

namespace quern::infer {

// The logarithm of the sum of e^logit. Throws Exception(corrupt) where a logit is NaN or the largest is infinite: the
// weights are damaged, or overflowed the dtype.
double log_sum_exp(std::span<const float> logits);

struct SampledToken {
  int32_t id = 0;
  double logprob = 0.0;  // under the model itself: log-softmax of the logits as they came
  // Of what it was drawn from: after bias and penalties, at its temperature, before truncations. At temperature 0 as at 1.
  double drawn_logprob = 0.0;
};

// One per sequence. A choice depends on the logits, the tokens before, the seed, `stream` (which of several answers to one
// prompt) and how many choices came before: never on other sequences. Not thread-safe.
class Sampler {
 public:
  explicit Sampler(SamplingOptions options, uint64_t stream = 0);

  // `tokens`: the text so far, of which the last `generated` are the answer. Minus infinity forbids a token. Throws as
  // log_sum_exp does.
  SampledToken sample(std::span<const float> logits, std::span<const int32_t> tokens = {},
                      int64_t generated = 0);

 private:
  friend double log_sum_exp(std::span<const float> logits);
  struct Candidate {
    int32_t id = 0;
    float logit = 0.0f;
    double weight = 0.0;  // proportional to the probability
  };
  static bool likelier(const Candidate& a, const Candidate& b);
  static double total(const std::vector<Candidate>& candidates);
  static void keep_share(std::vector<Candidate>& candidates, double wanted);

  struct Distribution;
  int32_t choose(const Distribution& distribution);
  bool truncates() const;
  std::vector<Candidate> candidates(const Distribution& distribution) const;
  void truncate(std::vector<Candidate>& candidates);
  void keep_typical(std::vector<Candidate>& candidates) const;
  void exclude_top_choices(std::vector<Candidate>& candidates);
  void keep_unsurprising(std::vector<Candidate>& candidates) const;
  int32_t draw(const std::vector<Candidate>& candidates, double place);

  SamplingOptions options_;
  Rng rng_;
  Penalties penalties_;
  double surprise_;            // mirostat's mu: bits that the next token may surprise by
  std::vector<float> edited_;  // logits, after penalties
};

}  // namespace quern::infer
