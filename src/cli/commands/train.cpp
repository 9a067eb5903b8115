// quern train
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "recipes/pretrain.h"

namespace quern::cli {

namespace {

struct Arguments {
  recipes::PretrainConfig config;
  recipes::PretrainHow how;
};

std::string to_text(const train::TrainSummary& s, const std::string& out) {
  TextTable table({"", ""});
  table.add({"model", out + "/model"});
  table.add({"steps", fmt::format("{}{}", s.steps, s.stopped_early ? " (stopped early)" : "")});
  table.add({"tokens", fmt::format("{} in {}, {:.0f} per second", human_count(static_cast<double>(s.tokens)),
                                   human_duration(s.seconds), static_cast<double>(s.tokens) / s.seconds)});
  table.add({"training loss", fmt::format("{:.4f}", s.train_loss)});
  if (s.evaluation) {
    table.add({"validation loss",
               fmt::format("{:.4f} (best {:.4f} at step {})", s.evaluation->loss, s.best_loss, s.best_step)});
    table.add({"perplexity", fmt::format("{:.2f}", s.evaluation->perplexity)});
    table.add({"bits per byte", fmt::format("{:.4f}", s.evaluation->bits_per_byte)});
  }
  return table.to_string(0);
}

Result<void> train_model(Arguments& arguments, const Fields& loaded, Context& context) {
  QUERN_CHECK(arguments.config.finish(loaded));
  const InterruptGuard guard;
  arguments.how.should_stop = [] { return InterruptGuard::requested(); };
  arguments.how.progress = context.progress;
  QUERN_TRY(const train::TrainSummary summary, recipes::pretrain(arguments.config, arguments.how));
  const std::string& out = arguments.config.out;
  if (context.json) {
    nlohmann::ordered_json json = {{"model", out + "/model"}};
    json.update(recipes::figures_of(summary));
    context.print(json.dump(2) + "\n");
    return {};
  }
  context.print(to_text(summary, out));
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
          .summary = "train a model on text",
          .details =
              "CONFIG is a YAML file of the settings below. Training saves checkpoints as it goes; Ctrl-C "
              "saves one more, and --resume goes on to the same bits an uninterrupted run reaches.",
          .examples =
              "quern data synth --out data/tales --documents 20000\n"
              "quern tokenizer train --input data/tales/train.jsonl --vocab-size 2048 --out runs/tokenizer\n"
              "quern train configs/small.yaml\n"
              "quern train configs/small.yaml --resume --set train.steps=400",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
