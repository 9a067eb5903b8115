// Supervised tuning: a model, or an adapter beside it, learns from examples that `quern data prepare` made.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"
#include "formats/peft.h"
#include "recipes/run_folder.h"
#include "train/options.h"
#include "train/trainer.h"

namespace quern::recipes {

// The `adapter:` section.
struct AdapterConfig {
  enum class Method { lora, none };
  Method method = Method::lora;
  formats::PeftConfig settings{.rank = 16, .alpha = 32.0, .targets = {"all-linear"}};

  void fields(Fields& f);
};

// What `quern train FILE` reads where it says `task: sft`.
struct TuneConfig {
  std::string out;
  std::string from;      // model folder or GGUF file
  std::string examples;  // folder of `quern data prepare`
  double epochs = 1.0;   // unless train.steps is set
  bool packed = true;
  AdapterConfig adapter;
  train::TrainOptions train;

  // Its own settings; `out`, `from` and `train` are those of all tasks.
  void fields(Fields& f);
  // Completes the settings once all are loaded: choices that nobody made in `loaded` are the usual ones of tuning.
  Result<void> finish(const Fields& loaded);
};

// Trains, and leaves OUT/adapter (PEFT) or OUT/model, OUT/checkpoints, OUT/metrics.jsonl, OUT/tensorboard and OUT/run.json.
// `config` must be finished. Errors as pretrain(); invalid_argument for files that hold no examples, conflict where they were made
// with another vocabulary.
Result<train::TrainSummary> tune(TuneConfig config, const TrainHow& how);

}  // namespace quern::recipes
