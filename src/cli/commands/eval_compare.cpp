// quern eval compare
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/interrupt.h"
#include "base/text_table.h"
#include "cli/command_line.h"
#include "cli/named_model.h"
#include "eval/answer_comparison.h"
#include "infer/loaded_adapter.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string base, tuned, adapter, data;
  std::string dtype = "f32";
};

// The held-out examples of a folder where it has some.
Result<data::TokenDataset> open_examples(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return data::TokenDataset::open(path.string());
  const std::filesystem::path held_out = path / "validation.tokens";
  const bool held = std::filesystem::exists(held_out, ignored);
  return data::TokenDataset::open((held ? held_out : path / "train.tokens").string());
}

Result<eval::AnswerComparison> compare(const Arguments& arguments, Progress& progress) {
  if (arguments.tuned.empty() && arguments.adapter.empty()) {
    return make_error(ErrorCode::invalid_argument, "there is one model and nothing to compare it with",
                      "name a second model, or an adapter with --adapter");
  }
  QUERN_TRY(const data::TokenDataset examples, open_examples(arguments.data));
  const DType dtype = arguments.dtype == "bf16" ? DType::bf16 : DType::f32;
  const NamedModel base_name{arguments.base, dtype, true};
  const NamedModel tuned_name{arguments.tuned.empty() ? arguments.base : arguments.tuned, dtype, true};
  QUERN_TRY(const infer::LoadedModel base, base_name.open());
  QUERN_TRY(infer::LoadedModel tuned, tuned_name.open());
  if (!arguments.adapter.empty()) {
    QUERN_TRY(const auto adapter, infer::open_adapter("adapter", tuned.model, arguments.adapter));
    tuned.model.set_adapter({adapter, adapter->weights.get()});
  }
  return eval::compare_answers(examples, base.model, tuned.model, progress);
}

Json to_json(const eval::Estimate& estimate) {
  return {{"value", estimate.value}, {"error", estimate.error}};
}

Json to_json(const eval::AnswerComparison& c) {
  Json json = {{"examples", c.examples},
               {"tokens", c.tokens},
               {"base_loss", to_json(c.base_loss)},
               {"tuned_loss", to_json(c.tuned_loss)},
               {"difference", to_json(c.difference)},
               {"wins", to_json(c.wins)}};
  if (c.pairs) {
    json["pairs"] = {{"base_accuracy", to_json(c.pairs->base_accuracy)},
                     {"tuned_accuracy", to_json(c.pairs->tuned_accuracy)},
                     {"moved", to_json(c.pairs->moved)},
                     {"margin", to_json(c.pairs->margin)}};
  }
  return json;
}

// With the half of its interval of 95 %.
std::string shown(const eval::Estimate& estimate, int digits) {
  return fmt::format("{:.{}f} ± {:.{}f}", estimate.value, digits, 1.96 * estimate.error, digits);
}
std::string share(const eval::Estimate& estimate) {
  return fmt::format("{:.1f} ± {:.1f} %", 100.0 * estimate.value, 196.0 * estimate.error);
}

std::string to_text(const eval::AnswerComparison& c) {
  TextTable table({"", ""});
  table.add({"examples", fmt::format("{}, {} tokens of answers", c.examples, c.tokens)});
  table.add({"loss of the base", shown(c.base_loss, 4) + " nats per token"});
  table.add({"loss of the tuned model", shown(c.tuned_loss, 4)});
  table.add({"difference, example by example", shown(c.difference, 4)});
  table.add({"likelier when tuned", share(c.wins) + " of the answers"});
  if (c.pairs) {
    table.add({"base finds the preferred likelier", share(c.pairs->base_accuracy) + " of the pairs"});
    table.add({"tuned model finds it likelier", share(c.pairs->tuned_accuracy)});
    table.add({"moved towards it", share(c.pairs->moved)});
    table.add({"by", shown(c.pairs->margin, 3) + " nats"});
  }
  return table.to_string(0);
}

Result<void> run(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const eval::AnswerComparison comparison, compare(arguments, *context.progress));
  context.print(context.json ? to_json(comparison).dump(2) + "\n" : to_text(comparison));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("BASE", arguments->base, "model folder, GGUF file, or a name in the store")->required();
  app.add_option("TUNED", arguments->tuned,
                 "another of the same vocabulary; with --adapter it may be left out");
  app.add_option("--data", arguments->data, "folder of `quern data prepare`, or one of its token files")
      ->required();
  app.add_option("--adapter", arguments->adapter, "PEFT folder that goes with TUNED");
  app.add_option("--dtype", arguments->dtype, "of activations (default: f32)")
      ->check(CLI::IsMember({"f32", "bf16"}));
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command eval_compare_command() {
  return {.name = "compare",
          .group = Group::inspect,
          .summary = "what tuning changed, over the answers of examples",
          .details =
              "Reads what `quern data prepare` made, its held-out part where there is one. Of each answer: "
              "which\n"
              "model finds it likelier. Of pairs: which of the two answers each model finds likelier, per "
              "token,\n"
              "and which way tuning moved. All with intervals of 95 %, paired where models are compared.",
          .examples =
              "quern eval compare smollm2 --adapter runs/tune/adapter --data data/alpaca\n"
              "quern eval compare base.gguf tuned-q4_k_m.gguf --data data/pairs/validation.tokens --json",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
