// A task of tuning: what `quern train` does for one value of `task:` beside what all have in common (recipes/tune.h).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/supervised_sampler.h"
#include "infer/loaded_model.h"
#include "recipes/tune.h"
#include "train/tuning.h"

namespace quern::recipes {

// What is tuned. The adapter refers to the model: neither moves.
struct TunedModel {
  std::shared_ptr<infer::LoadedModel> loaded;
  std::shared_ptr<model::RewardModel> reward;  // of tasks that score: over the decoder of `loaded`
  std::unique_ptr<nn::LoraAdapter> adapter;    // null: the model itself is trained

  model::Decoder& model() const { return loaded->model; }
};

// The examples of a run.
struct TuningData {
  data::SupervisedSampler train;
  std::optional<data::SupervisedSampler> validation;
};

struct Tuning {
  std::unique_ptr<train::Trainee> trainee;
  std::unique_ptr<train::Objective> objective;
};

struct TuningTask {
  TrainTask task;
  std::string_view name;
  std::string_view summary;                   // of what is learnt, for the help
  std::vector<std::string_view> sections;     // of settings that not all tasks have: "preference."
  data::TokenContent examples;                // what it learns from
  bool scores = false;                        // what is tuned is a reward model
  double adapter_lr = 2e-4, model_lr = 2e-5;  // unless somebody chose one
  // Settings of the task that nobody made in `loaded`, and what single fields cannot check. May be null.
  Result<void> (*finish)(TuneConfig& config, const Fields& loaded) = nullptr;
  // The model must outlive what is made.
  Result<Tuning> (*begin)(const TuneConfig& config, const TunedModel& model, TuningData data);
};

std::span<const TuningTask> tuning_tasks();
const TuningTask& task_of(TrainTask task);

// For tasks that train what `adapter:` says: all of the model, or an adapter beside it.
std::unique_ptr<train::Trainee> usual_trainee(const TuneConfig& config, const TunedModel& model);
// The model as it is now: without its adapter, or a copy that stays as it is.
Result<align::Reference> reference_of(const TuneConfig& config, const TunedModel& model);
train::TuningOptions tuning_options(const TuneConfig& config, const TunedModel& model);

}  // namespace quern::recipes
