// Rollouts: answers of a model to prompts, many at once, by the engine that serves: over the weights that are being
// trained, as they stand, without a copy. What learns from its own answers begins here.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "infer/loaded_model.h"

namespace quern::align {

struct RolloutOptions {
  int64_t max_tokens = 256;  // of an answer
  // Truncations choose among fewer tokens; log-probabilities are those of the whole distribution all the same.
  double temperature = 1.0;
  int64_t top_k = 0;
  double top_p = 1.0;
  int64_t at_once = 64;  // answers
  // Over weights in blocks: ops::DecodedBlocks, so that log-probabilities are those that are learnt.
  bool decoded = true;
  uint64_t seed = 0;
};

struct Rollout {
  std::vector<int32_t> tokens;    // at least one; the last is the end token where it ended
  std::vector<double> log_probs;  // of each: as the engine drew it, at the temperature
  bool ended = false;             // by an end token; otherwise it was cut off
  std::string text;               // without the end token
};

// Not thread-safe. Nothing of it is recorded by the tape.
class Rollouts {
 public:
  // For prompts of at most `longest_prompt` tokens. The model may learn between calls; its compute dtype and that of its
  // cache are those of now. Errors of Engine::create; invalid_argument where the model has not so many positions.
  static Result<Rollouts> create(std::shared_ptr<const infer::LoadedModel> loaded,
                                 const RolloutOptions& options, int64_t longest_prompt);

  // `each` answers to each prompt, those to one prompt side by side. What is drawn is a function of the weights, the
  // prompts, the seed and `round`. The first error of the engine.
  Result<std::vector<Rollout>> sample(std::span<const std::span<const int32_t>> prompts, int64_t each,
                                      uint64_t round);
  // The likeliest token each time: one answer to each prompt.
  Result<std::vector<Rollout>> greedy(std::span<const std::span<const int32_t>> prompts);

  const RolloutOptions& options() const { return options_; }
  // Of all calls.
  engine::EngineStats stats() const { return engine_->stats(); }

 private:
  Rollouts(std::unique_ptr<engine::Engine> engine, const RolloutOptions& options)
      : engine_(std::move(engine)), options_(options) {}
  Result<std::vector<Rollout>> run(std::span<const std::span<const int32_t>> prompts, int64_t each,
                                   uint64_t round, const infer::SamplingOptions& sampling);

  std::unique_ptr<engine::Engine> engine_;
  RolloutOptions options_;
  int64_t calls_ = 0;  // of this process: keys that one remembers are of its weights
};

}  // namespace quern::align
