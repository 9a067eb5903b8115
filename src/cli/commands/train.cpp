// quern train
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/terminal.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "recipes/denoise.h"
#include "recipes/masked.h"
#include "recipes/pretrain.h"
#include "recipes/replaced.h"
#include "recipes/tune.h"
#include "recipes/tuning/settings.h"
#include "store/store.h"

namespace quern::cli {

namespace {

// The settings of all tasks; each refuses those of the others.
struct TrainConfig {
  recipes::TrainTask task = recipes::TrainTask::pretrain;
  recipes::PretrainConfig pretrain;
  recipes::MaskedConfig mlm;
  recipes::DenoiseConfig denoise;
  recipes::TuneConfig tune;

  bool tunes() const { return !recipes::learns_text(task); }

  void fields(Fields& f);
  Result<void> finish(const Fields& loaded);
};

struct Arguments {
  TrainConfig config;
  recipes::TrainHow how;
};

void TrainConfig::fields(Fields& f) {
  recipes::add_task(f, task, true);
  pretrain.fields(f);
  f.group("mlm", mlm);
  f.group("denoise", denoise);
  tune.fields(f);
}

Result<void> TrainConfig::finish(const Fields& loaded) {
  QUERN_CHECK(recipes::refuse_settings_of_others(loaded, task));
  const bool replaces = mlm.objective == recipes::MaskedConfig::Objective::replaced;
  if (task == recipes::TrainTask::mlm) QUERN_CHECK(mlm.finish(loaded));
  if (task == recipes::TrainTask::mlm || task == recipes::TrainTask::denoise) {
    QUERN_TRY(const std::filesystem::path base, pretrain.from.empty()
                                                    ? Result<std::filesystem::path>("")
                                                    : store::Store().resolve(pretrain.from));
    pretrain.from = base.string();
    if (pretrain.tokenizer.empty()) pretrain.tokenizer = pretrain.from;
    if (!loaded.is_set("model.family"))
      pretrain.model.family = task == recipes::TrainTask::denoise ? "t5" : replaces ? "electra" : "bert";
  }
  if (!tunes()) {
    QUERN_CHECK(pretrain.check_required(loaded));
    return pretrain.finish(loaded);
  }
  QUERN_CHECK(recipes::refuse_settings(loaded, recipes::task_of(task).name,
                                       {"tokenizer", "model.", "data.", "sample.", "train.sampling"}));
  tune.task = task;
  tune.out = pretrain.out;
  QUERN_TRY(const std::filesystem::path base, pretrain.from.empty() ? Result<std::filesystem::path>("")
                                                                    : store::Store().resolve(pretrain.from));
  tune.from = base.string();
  if (std::string& teacher = tune.distill.teacher; !teacher.empty()) {
    QUERN_TRY(const std::filesystem::path found, store::Store().resolve(teacher));
    teacher = found.string();
  }
  tune.train = pretrain.train;
  return tune.finish(loaded);
}

// "bits per byte"
std::string spaced(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

std::string to_text(const train::TrainSummary& s, const std::string& made) {
  TextTable table({"", ""});
  table.add({std::filesystem::path(made).filename().string(), made});
  table.add({"steps", fmt::format("{}{}", s.steps, s.stopped_early ? " (stopped early)" : "")});
  table.add(
      {"tokens learnt", fmt::format("{} in {}, {:.0f} per second", human_count(static_cast<double>(s.tokens)),
                                    human_duration(s.seconds), static_cast<double>(s.tokens) / s.seconds)});
  table.add({"training loss", fmt::format("{:.4f}", s.train_loss)});
  if (s.evaluation) {
    table.add({"validation loss",
               fmt::format("{:.4f} (best {:.4f} at step {})", s.evaluation->loss, s.best_loss, s.best_step)});
    for (const auto& [name, value] : s.evaluation->figures)
      table.add({spaced(name), fmt::format("{:.4f}", value)});
  }
  return table.to_string(0);
}

Result<void> train_model(Arguments& arguments, const Fields& loaded, Context& context) {
  QUERN_CHECK(arguments.config.finish(loaded));
  const InterruptGuard guard;
  arguments.how.should_stop = [] { return InterruptGuard::requested(); };
  arguments.how.progress = context.progress;
  if (!context.quiet) arguments.how.say = [](const std::string& text) { terminal::print_line(text); };
  TrainConfig& config = arguments.config;
  const bool tunes = config.tunes();
  if (tunes) QUERN_CHECK(config.tune.take_kind());
  const auto learn = [&] {
    if (tunes) return recipes::tune(config.tune, arguments.how);
    if (config.task == recipes::TrainTask::mlm) {
      return config.mlm.objective == recipes::MaskedConfig::Objective::replaced
                 ? recipes::pretrain_replaced(config.pretrain, config.mlm, arguments.how)
                 : recipes::pretrain_masked(config.pretrain, config.mlm, arguments.how);
    }
    if (config.task == recipes::TrainTask::denoise)
      return recipes::pretrain_denoising(config.pretrain, config.denoise, arguments.how);
    return recipes::pretrain(config.pretrain, arguments.how);
  };
  QUERN_TRY(const train::TrainSummary summary, learn());
  const bool adapts = tunes && config.tune.adapter.method != recipes::AdapterConfig::Method::none;
  const std::string made = config.pretrain.out + (adapts ? "/adapter" : "/model");
  if (context.json) {
    nlohmann::ordered_json json = {{adapts ? "adapter" : "model", made}};
    json.update(recipes::figures_of(summary));
    context.print(json.dump(2) + "\n");
    return {};
  }
  context.print(to_text(summary, made));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.config(arguments->config, "CONFIG");
  CLI::Option* resume = line.app().add_flag("--resume", arguments->how.resume,
                                            "go on from the newest checkpoint in the run's folder");
  line.app()
      .add_flag("--overwrite", arguments->how.overwrite, "start afresh where a run has been")
      ->excludes(resume);
  return [arguments, &line](Context& context) { return train_model(*arguments, line.fields(), context); };
}

}  // namespace

Command train_command() {
  return {.name = "train",
          .group = Group::train,
          .summary = "train a model on text, or tune one on examples",
          .details =
              "CONFIG is a YAML file of the settings below. Training saves checkpoints as it goes; Ctrl-C "
              "saves one more, and --resume goes on to the same bits an uninterrupted run reaches.",
          .examples =
              "quern data synth --out data/tales --documents 20000\n"
              "quern tokenizer train --input data/tales/train.jsonl --vocab-size 2048 --out runs/tokenizer\n"
              "quern train configs/small.yaml\n"
              "quern train configs/small.yaml --resume --set train.steps=400\n"
              "quern train configs/tune.yaml --set from=smollm2 --set examples=data/alpaca\n"
              "quern train configs/classify.yaml --set from=all-minilm-l6-v2 --set examples=rows.jsonl\n"
              "quern train configs/denoise.yaml --set tokenizer=FOLDER --set data.inputs=texts.jsonl",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
