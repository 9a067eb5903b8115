// Trainer: the loop of every kind of training. One step = the gradient of one batch (Objective), clip, AdamW.
//
// A run that was stopped, in any way, and goes on from its newest checkpoint reaches bit-identical weights:
// data order and dropout are functions of counters, and everything else is in the checkpoint.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/metrics_stream.h"
#include "train/objective.h"
#include "train/options.h"
#include "train/trainee.h"

namespace quern::train {

struct TextSample {
  std::string prompt;
  std::string text;
};

// What a run needs from outside; all may be empty. `should_stop` is asked after every step (Ctrl-C). `sample`
// writes a text with the model as it stands. `save_extras` puts the tokenizer beside saved weights.
struct TrainHooks {
  std::function<bool()> should_stop;
  std::function<Result<TextSample>()> sample;
  std::function<Result<void>(const std::filesystem::path&)> save_extras;
  Progress* progress = nullptr;
};

struct TrainSummary {
  int64_t steps = 0;
  int64_t tokens = 0;
  double seconds = 0.0;
  double train_loss = 0.0;               // smoothed
  std::optional<Evaluation> evaluation;  // of the last weights
  double best_loss = 0.0;                // of validation; infinite without evaluations
  int64_t best_step = 0;
  bool stopped_early = false;
};

class Trainer {
 public:
  // `options` must be finished. The compute dtype of what is trained is set from them.
  Trainer(std::unique_ptr<Trainee> trainee, std::unique_ptr<Objective> objective, TrainOptions options,
          std::filesystem::path run_directory, TrainHooks hooks);

  // Goes on from the newest checkpoint, if there is one; returns its step or 0.
  Result<int64_t> resume();
  // Trains to options.steps, then leaves the model in RUN/model, or the adapter in RUN/adapter. Errors: diverged (the last good checkpoint
  // stays), cancelled (after saving; the message says how to go on), io.
  Result<TrainSummary> run();

 private:
  struct StepResult {
    double grad_norm;
    double lr;
    StepLoss learnt;
  };
  Result<StepResult> step();
  Error stopped_by(Error error);
  Result<void> check_divergence(const StepResult& result);
  Result<void> after_step(const StepResult& result, MetricsStream& metrics);
  Result<void> evaluate_now(MetricsStream& metrics);
  Result<void> save();
  bool due(int64_t every) const { return every > 0 && state_.step % every == 0; }

  std::unique_ptr<Trainee> trainee_;
  std::unique_ptr<Objective> objective_;
  TrainOptions options_;
  TrainHooks hooks_;
  std::filesystem::path run_directory_;
  AdamW optimizer_;
  CheckpointStore checkpoints_;
  TrainerState state_;
  std::optional<Evaluation> evaluation_;
  int64_t saved_step_ = -1;
  double step_seconds_ = 0.0;  // of the steps since the last row of metrics
  int64_t step_tokens_ = 0;
};

}  // namespace quern::train
