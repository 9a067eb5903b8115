// Tuning: a model, or an adapter beside it, learns from examples that `quern data prepare` made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "align/kto.h"
#include "align/preference_criterion.h"
#include "align/reward_loss.h"
#include "base/config.h"
#include "formats/peft.h"
#include "ops/linear_distillation.h"
#include "recipes/labelling.h"
#include "recipes/reinforcement.h"
#include "recipes/run_folder.h"
#include "train/options.h"
#include "train/trainer.h"

namespace quern::recipes {

// The `adapter:` section.
struct AdapterConfig {
  enum class Method { lora, prompt, prefix, bottleneck, none };
  enum class Places { both, attention, mlp };
  Method method = Method::lora;
  Places places = Places::both;  // of bottlenecks
  std::string from;              // PEFT folder to go on from, whose settings hold; empty: a new adapter
  formats::PeftConfig settings{.rank = 16, .alpha = 32.0, .targets = {"all-linear"}};
  std::vector<std::string> tokens = {};  // whose vectors learn, too: what settings.token_rows are for
  double b_learning_rate = 1.0;          // of B, times that of all others: LoRA+ (arXiv 2402.12354)

  void fields(Fields& f);
  // Of settings that the method has not: invalid_argument. Tells `settings` the method.
  Result<void> check_method(const Fields& loaded);
  bool has_virtual_tokens() const { return method == Method::prompt || method == Method::prefix; }
  // Of settings with `from`. unsupported for tasks without such an adapter (`none`), invalid_argument where settings were
  // chosen that the adapter has. Opens nothing: `from` may be what an earlier stage of a recipe is yet to write.
  Result<void> check_from(bool none, const Fields& loaded);
  // Those of the adapter in `from`, but for what else was chosen.
  Result<void> take_settings();

  std::optional<double> chosen_dropout;  // beside `from`; not a setting
};

// The `distill:` section.
struct DistillConfig {
  std::string teacher;  // model folder or GGUF file
  ops::DistillationOptions options;

  void fields(Fields& f);
};

// The `preference:` section, of tasks that learn from pairs.
struct PreferenceConfig {
  align::PreferenceOptions options;
  bool reference = true;  // compare with the model as it was; false: with nothing

  void fields(Fields& f);
};

// The `kto:` section.
struct KtoConfig {
  align::KtoOptions options;

  void fields(Fields& f);
};

// The `reward:` section.
struct RewardConfig {
  align::RewardLossOptions loss;

  void fields(Fields& f);
};

// What `task:` says. All but pretrain, mlm and denoise are tasks of tuning: a file of recipes/tuning/ and a line of tuning_tasks() each.
enum class TrainTask {
  pretrain,
  mlm,
  denoise,
  sft,
  distill,
  dpo,
  orpo,
  simpo,
  kto,
  reward,
  grpo,
  ppo,
  classify,
  embed
};

// What `quern train FILE` reads where it says one of these tasks.
struct TuneConfig {
  TrainTask task = TrainTask::sft;  // of tuning
  std::string out;
  std::string from;           // model folder or GGUF file
  bool load_in_4bit = false;  // the model's layers, beside an adapter: QLoRA
  std::string examples;       // folder of `quern data prepare`, or of prompts, or a file of these
  double epochs = 1.0;        // unless train.steps is set
  bool packed = true;
  std::vector<std::string> learn;  // parameters that learn, by parts of their paths; empty: all
  double embedding_noise = 0.0;    // NEFTune's alpha
  double label_smoothing = 0.0;    // ops::CrossEntropyOptions
  AdapterConfig adapter;
  DistillConfig distill;
  PreferenceConfig preference;
  KtoConfig kto;
  RewardConfig reward;
  RolloutConfig rollout;
  RewardsConfig rewards;
  GrpoConfig grpo;
  PpoConfig ppo;
  RowsConfig rows;
  ClassifyConfig classify;
  EmbedConfig embed;
  train::TrainOptions train;

  // Its own settings; `task`, `out`, `from` and `train` are those of all tasks.
  void fields(Fields& f);
  // Completes the settings once all are loaded: choices that nobody made in `loaded` are the usual ones of the task.
  Result<void> finish(const Fields& loaded);
  // Completes them by what the model is, once it is there: encoder-decoders have no adapters, and another usual learning rate.
  // Errors of load_config; invalid_argument for settings that are not of its kind.
  Result<void> take_kind();
  bool reads_pairs = false;  // set by it: an encoder-decoder learns from rows

  // What somebody chose, set by finish(); no settings.
  struct {
    bool adapter = false, learning_rate = false, sequence = false;
  } chosen;
};

// Trains, and leaves OUT/adapter (PEFT) or OUT/model, OUT/checkpoints, OUT/metrics.jsonl, OUT/tensorboard and OUT/run.json.
// `config` must be finished. Errors as pretrain(); invalid_argument for files that hold no examples of the task, conflict
// where they were made with another vocabulary.
Result<train::TrainSummary> tune(TuneConfig config, const TrainHow& how);

}  // namespace quern::recipes
