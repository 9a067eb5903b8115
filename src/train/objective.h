// Objective: what a run learns from, and how. The trainer owns steps, optimiser, checkpoints and metrics; an objective owns
// the data and the loss.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/result.h"
#include "train/evaluate.h"

namespace quern::train {

// What a checkpoint must agree with before a run goes on from it: names and their values.
using Fingerprint = nlohmann::ordered_json;

// One optimiser step, as the trainer asks for it.
struct StepRequest {
  int64_t step = 0;           // finished before it
  int64_t micro_batches = 0;  // forward passes finished: the counter of dropout
  double scale = 1.0;         // of the loss whose gradient is taken (f16)
};

struct StepLoss {
  double loss = 0.0;    // unscaled
  int64_t targets = 0;  // tokens that were learnt
  int64_t tokens = 0;   // tokens that were read, padding left out
  int64_t micro_batches = 0;
  std::vector<Figure> figures = {};  // of this kind of training, for the metrics
};

// Not thread-safe.
class Objective {
 public:
  virtual ~Objective() = default;

  // Adds the gradient of scale * loss of the next batch to the trainable parameters. An error leaves these and state()
  // as they were: the run is saved, and goes on later.
  virtual Result<StepLoss> accumulate(const StepRequest& request) = 0;
  // Of held-out data with the weights after `step` steps; nothing where none is held out.
  virtual Result<std::optional<Evaluation>> evaluate(int64_t step) = 0;

  // Where it stands in its data, for checkpoints.
  virtual nlohmann::json state() const = 0;
  virtual Result<void> restore(const nlohmann::json& state) = 0;
  // What makes another run of it, but for the number of steps.
  virtual void describe(Fingerprint& print) const = 0;
};

}  // namespace quern::train
