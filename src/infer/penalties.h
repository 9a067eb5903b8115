// What the tokens so far do to the logits of the next one.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "infer/sampling_options.h"

namespace quern::infer {

// One per sequence: it counts tokens as they come. Not thread-safe.
class Penalties {
 public:
  explicit Penalties(const SamplingOptions& options) : options_(options) {}

  // Whether apply() would change anything.
  bool any() const { return counts() || options_.dry.multiplier > 0.0 || !options_.logit_bias.empty(); }
  // Edits the logits [V] of what may follow `tokens`, the last `generated` of which are the answer. The repetition penalty
  // sees prompt and answer, those of presence and frequency the answer alone.
  void apply(std::span<float> logits, std::span<const int32_t> tokens, int64_t generated);

 private:
  bool counts() const {
    return options_.repetition_penalty != 1.0 || options_.presence_penalty != 0.0 ||
           options_.frequency_penalty != 0.0;
  }
  void count(std::span<const int32_t> tokens, int64_t generated);

  SamplingOptions options_;
  std::unordered_map<int32_t, int64_t> counts_;  // how often each seen token was generated
  size_t counted_ = 0;                           // tokens, from the first on
};

// For each token that would continue a repetition, the longest: pairs of the token and how many of the last tokens stood
// before it once already, `options.allowed` at least.
std::vector<std::pair<int32_t, int64_t>> repetitions(std::span<const int32_t> tokens,
                                                     const DryOptions& options);

}  // namespace quern::infer
