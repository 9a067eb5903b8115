// A task of tuning: what `quern train` does for one value of `task:` beside what all have in common (recipes/tune.h).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "align/answer_source.h"
#include "align/reference.h"
#include "encoding/labelled_rows.h"
#include "infer/encoder_session.h"
#include "infer/loaded_model.h"
#include "recipes/tune.h"
#include "train/example_objective.h"

namespace quern::recipes {

// What is tuned. The adapter refers to the model: neither moves.
struct TunedModel {
  std::shared_ptr<infer::LoadedModel> loaded;
  std::shared_ptr<model::RewardModel> reward;  // of tasks that score: over the decoder of `loaded`
  std::unique_ptr<nn::Adapter> adapter;        // null: the model itself is trained

  model::Decoder& model() const { return loaded->model; }
};

struct Tuning {
  std::unique_ptr<train::Trainee> trainee;
  std::unique_ptr<train::Objective> objective;
  std::function<Result<train::TextSample>()> sample = {};  // TrainHooks'
};

// The same of an encoder, or an encoder-decoder, that learns from rows of its own form.
struct EncoderTuning {
  std::shared_ptr<const void> model;  // what the rest refers to
  Tuning tuning;
  int64_t steps_per_epoch = 0, examples = 0, rows = 0;
  uint64_t key = 0;   // of the rows
  std::string first;  // an example, for people
  encoding::RefusedRows refused;
  std::function<Result<void>(const std::filesystem::path&)> save_extras;  // TrainHooks'
};

struct TuningTask {
  TrainTask task;
  std::string_view name;
  std::string_view summary;                // of what is learnt, for the help
  std::vector<std::string_view> sections;  // of settings that not all tasks have: "preference."
  data::TokenContent examples = data::TokenContent::text;  // what it learns from, unless that is prompts
  bool scores = false;                                     // what is tuned is a reward model
  bool learns_virtual_tokens = false;                      // adapters that put them before every text, too
  bool learns_bottlenecks = true;                          // and those
  double adapter_lr = 2e-4, model_lr = 2e-5;               // unless somebody chose one
  // Settings of the task that nobody made in `loaded`, and what single fields cannot check. May be null.
  Result<void> (*finish)(TuneConfig& config, const Fields& loaded) = nullptr;
  // One of the three: what a task makes of prepared examples, or how it learns from its own answers to prompts, or an encoder from rows. The model must
  // outlive what is made.
  Result<std::unique_ptr<train::Criterion>> (*criterion)(const TuneConfig& config,
                                                         const TunedModel& model) = nullptr;
  Result<Tuning> (*begin_with_prompts)(const TuneConfig& config, const TunedModel& model,
                                       align::PromptSets prompts) = nullptr;
  Result<EncoderTuning> (*begin_with_rows)(const TuneConfig& config) = nullptr;
  // Beside the first: how an encoder-decoder learns the same, from rows.
  Result<EncoderTuning> (*begin_with_pairs)(const TuneConfig& config) = nullptr;
  // Of tasks with prompts: steps that learn from one batch of them.
  int64_t (*updates)(const TuneConfig& config) = nullptr;

  bool has_prompts() const { return begin_with_prompts != nullptr; }
};

std::span<const TuningTask> tuning_tasks();
const TuningTask& task_of(TrainTask task);

// Of what `adapter:` says: all of the model, or an adapter beside it; of tasks that score, with the score.
std::unique_ptr<train::Trainee> usual_trainee(const TuneConfig& config, const TunedModel& model);
// The model as it is now: with the adapter that its own goes on from or with none, or a copy that stays as it is.
Result<align::Reference> reference_of(const TuneConfig& config, const TunedModel& model);
train::TuningOptions tuning_options(const TuneConfig& config, const TunedModel& model);

// What tasks that learn from own answers have in common: settings that nobody made, and what is refused; what answers are
// worth, and how they are drawn and learnt.
Result<void> finish_own_answers(TuneConfig& config, const Fields& loaded);
Result<align::AnswerSource> answer_source(const TuneConfig& config, const TunedModel& model,
                                          align::PromptSets prompts);
// What people see of it while a run goes on; it must outlive what is returned.
inline auto sample_of(const align::AnswerSource& source) {
  return [&source]() -> Result<train::TextSample> { return source.last(); };
}

}  // namespace quern::recipes
