// Checkpoints: RUN/checkpoints/step-00001000/ holds everything a run needs to go on as if it had never
// stopped.
//
//   config.json, model.safetensors, ...  the model as a Hugging Face folder, masters in f32; of an adapter, a PEFT folder
//   optimizer.safetensors                the two moments of every trainable parameter
//   trainer.json                         step, data position, loss scale, best loss, and what the run was
//   made of
//
// A checkpoint is written under a temporary name and renamed when all of it is on disk: one that has its
// final name is complete, whatever killed the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "train/adamw.h"
#include "train/loss_scaler.h"
#include "train/objective.h"
#include "train/trainee.h"

namespace quern::train {

// Where a run stands, beyond weights and moments. Dropout and initial weights need nothing: they are
// functions of the seed and of these counters.
struct TrainerState {
  int64_t step = 0;           // optimiser steps finished
  int64_t micro_batches = 0;  // forward passes finished: the counter of dropout
  int64_t tokens = 0;         // targets trained on
  double seconds = 0.0;       // spent training, over all sessions
  nlohmann::json objective;   // Objective::state
  LossScaler scaler;
  double smoothed_loss = std::numeric_limits<double>::quiet_NaN();
  double lowest_smoothed = std::numeric_limits<double>::infinity();
  double best_loss = std::numeric_limits<double>::infinity();  // of validation
  int64_t best_step = 0;
  int64_t stale_evaluations = 0;  // since the best
};

class CheckpointStore {
 public:
  // `run_directory` as RUN above. `save_extras` adds files to each checkpoint (the tokenizer) and may be
  // empty.
  CheckpointStore(std::filesystem::path run_directory, Fingerprint fingerprint, int64_t keep,
                  std::function<Result<void>(const std::filesystem::path&)> save_extras);

  // Newest complete checkpoint; removes what a killed writer left behind.
  Result<std::optional<std::filesystem::path>> latest() const;

  // Writes a checkpoint of `state.step`, then removes older ones past `keep`.
  Result<void> save(const Trainee& trainee, const AdamW& optimizer, const TrainerState& state) const;

  // Restores all three. conflict names the first difference when the checkpoint belongs to another model,
  // corpus or set of choices.
  Result<TrainerState> restore(const std::filesystem::path& checkpoint, Trainee& trainee,
                               AdamW& optimizer) const;

 private:
  std::vector<std::filesystem::path> list() const;  // oldest first
  Result<void> write(const std::filesystem::path& folder, const Trainee& trainee, const AdamW& optimizer,
                     const TrainerState& state) const;

  std::filesystem::path directory_;
  Fingerprint fingerprint_;
  int64_t keep_;
  std::function<Result<void>(const std::filesystem::path&)> save_extras_;
};

}  // namespace quern::train
