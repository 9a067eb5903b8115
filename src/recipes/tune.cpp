#include "recipes/tune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "data/examples/example_renderer.h"
#include "data/supervised_sampler.h"
#include "infer/language.h"
#include "model/adapter.h"
#include "model/load.h"
#include "recipes/pretrain.h"
#include "train/supervised.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

bool is_set(const Fields& loaded, std::string_view key) {
  const Field* field = loaded.find(key);
  return field != nullptr && !field->origin().empty();
}

Result<data::TokenDataset> open_examples(const fs::path& path) {
  QUERN_TRY(data::TokenDataset dataset, data::TokenDataset::open(path.string()));
  if (dataset.content() == data::TokenContent::supervised) return dataset;
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("{} holds {}, not examples for supervised tuning", path.string(),
                                data::name_of(dataset.content())),
                    "prepare conversations, or prompts with completions: quern data prepare");
}

Result<data::SupervisedSampler> open_sampler(const fs::path& path, const TuneConfig& config) {
  QUERN_TRY(data::TokenDataset dataset, open_examples(path));
  return data::SupervisedSampler::create(std::move(dataset),
                                         {.sequence = config.train.sequence_lengths.max(),
                                          .rows = std::max<int64_t>(config.train.micro_batch, 1),
                                          .packed = config.packed,
                                          .seed = config.train.seed});
}

// The first example as the model will learn it.
std::string first_example(const data::TokenDataset& dataset, const text::Tokenizer& tokenizer) {
  data::TokenDocument document;
  document.tokens.resize(static_cast<size_t>(dataset.document_length(0)));
  document.learnt.resize(document.tokens.size());
  dataset.read(dataset.document_begin(0), document.tokens);
  dataset.read_learnt(dataset.document_begin(0), document.learnt);
  return data::show_learnt(data::learnt_runs(tokenizer, document), ::isatty(STDERR_FILENO) == 1);
}

struct Model {
  std::unique_ptr<model::Decoder> model;
  std::unique_ptr<nn::LoraAdapter> adapter;  // null: the model itself is trained
};

Result<Model> open_model(const TuneConfig& config) {
  const bool whole = config.adapter.method == AdapterConfig::Method::none;
  QUERN_TRY(model::Decoder loaded,
            model::load_model(config.from, {.trainable = whole, .compute_dtype = config.train.dtype}));
  Model result{std::make_unique<model::Decoder>(std::move(loaded)), nullptr};
  if (whole) return result;
  QUERN_TRY(nn::LoraAdapter adapter, model::make_adapter(*result.model, result.model->config(),
                                                         config.adapter.settings, config.train.seed));
  result.adapter = std::make_unique<nn::LoraAdapter>(std::move(adapter));
  return result;
}

std::unique_ptr<train::Trainee> trainee_of(const Model& model, const formats::PeftConfig& settings) {
  if (!model.adapter) return std::make_unique<train::WholeModel>(*model.model);
  return std::make_unique<train::AdapterOfModel>(*model.model, *model.adapter, settings);
}

}  // namespace

void AdapterConfig::fields(Fields& f) {
  f.add("method", method, "lora: train an adapter beside the model; none: the model itself",
        {{"lora", Method::lora}, {"none", Method::none}});
  f.add("rank", settings.rank, "rows of A").range(1, 4096);
  f.add("alpha", settings.alpha, "the adapter is scaled by alpha / rank").at_least(0);
  f.add("dropout", settings.dropout, "of what enters A").range(0, 0.9);
  f.add("targets", settings.targets,
        "linear maps, by the ends of their paths; all-linear: every one in the blocks");
  f.add("rank_stabilised", settings.rank_stabilised, "scale by alpha / sqrt(rank)");
  f.add("magnitudes", settings.magnitudes, "DoRA: learn the lengths of the rows, too");
}

void TuneConfig::fields(Fields& f) {
  f.add("examples", examples, "task sft: folder of `quern data prepare`");
  f.add("epochs", epochs, "task sft: times that each example is learnt, unless train.steps is set")
      .at_least(0);
  f.add("packed", packed, "task sft: several examples in a row, each by itself");
  f.group("adapter", adapter);
}

Result<void> TuneConfig::finish(const Fields& loaded) {
  for (const auto& [key, value] : {std::pair{"from", &from}, {"examples", &examples}}) {
    if (!value->empty()) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} is not set ({})", key, loaded.find(key)->help()),
                      fmt::format("add it to the config file or use --set {}=...", key));
  }
  const bool whole = adapter.method == AdapterConfig::Method::none;
  // What PEFT and TRL begin with.
  if (!is_set(loaded, "train.lr")) train.schedule.lr = whole ? 2e-5 : 2e-4;
  if (!is_set(loaded, "train.batch")) train.batch = "16";
  if (!is_set(loaded, "train.sequence")) train.sequence = "1024";
  if (!is_set(loaded, "train.weight_decay")) train.optimizer.weight_decay = 0.0;
  if (!is_set(loaded, "train.beta2")) train.optimizer.beta2 = 0.999;
  if (!is_set(loaded, "train.steps")) train.steps = 0;  // epochs decide
  adapter.settings.base = from;
  return train.finish();
}

Result<train::TrainSummary> tune(TuneConfig config, const TrainHow& how) {
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  const fs::path folder(config.examples);
  QUERN_TRY(data::SupervisedSampler examples, open_sampler(folder / "train.tokens", config));
  std::optional<data::SupervisedSampler> held_out;
  std::error_code ignored;
  if (fs::exists(folder / "validation.tokens", ignored)) {
    QUERN_TRY(held_out, open_sampler(folder / "validation.tokens", config));
  }
  const int64_t batch = config.train.batch_sizes.max(), per_epoch = examples.steps_per_epoch(batch);
  if (config.train.steps == 0) {
    config.train.steps = std::max<int64_t>(1, std::llround(config.epochs * static_cast<double>(per_epoch)));
    QUERN_CHECK(config.train.finish());
  }
  QUERN_TRY(const infer::Language language, infer::open_language(config.from));
  QUERN_TRY(const Model model, open_model(config));
  const nn::Module& learns = model.adapter ? static_cast<const nn::Module&>(*model.adapter) : *model.model;
  log::info("train", "{} of {} parameters learn from {} examples, {} targets, {} steps an epoch",
            human_count(static_cast<double>(nn::parameter_count(learns))),
            human_count(static_cast<double>(nn::parameter_count(*model.model))), examples.example_count(),
            examples.target_count(), per_epoch);
  if (how.say)
    how.say("What is learnt of the first example:\n" + first_example(examples.dataset(), language.tokenizer));
  const train::SupervisedTraining training{
      .batch = batch,
      .checkpointing = config.train.checkpointing,
      .seed = config.train.seed,
      .dropout = std::max(model.model->config().dropout, config.adapter.settings.dropout)};
  const uint64_t key = examples.dataset().key();
  QUERN_TRY(
      train::SupervisedTuning objective,
      train::SupervisedTuning::create(*model.model, std::move(examples), std::move(held_out), training));
  train::TrainHooks hooks;
  hooks.should_stop = how.should_stop;
  hooks.progress = how.progress;
  if (!model.adapter) hooks.save_extras = [&](const fs::path& to) { return language.tokenizer.save(to); };
  train::Trainer trainer(trainee_of(model, config.adapter.settings),
                         std::make_unique<train::SupervisedTuning>(std::move(objective)), config.train,
                         config.out, std::move(hooks));
  if (how.resume) {
    QUERN_TRY(const int64_t step, trainer.resume());
    if (step > 0) log::info("train", "going on after step {}", step);
  } else if (how.overwrite) {
    fs::remove_all(fs::path(config.out) / "checkpoints", ignored);
  }
  QUERN_TRY(train::TrainSummary summary, trainer.run());
  nlohmann::ordered_json settings = fields_of(config).to_json();
  settings["train"] = fields_of(config.train).to_json();
  QUERN_CHECK(write_run_record(config.out, settings,
                               {{"model", config.from}, {"examples", fmt::format("{:016x}", key)}},
                               figures_of(summary)));
  return summary;
}

}  // namespace quern::recipes
