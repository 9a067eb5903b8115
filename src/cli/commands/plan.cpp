// quern plan | plan fit
#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/nearest.h"
#include "base/text_table.h"
#include "cli/command_line.h"
#include "model/family.h"
#include "model/load.h"
#include "model/presets.h"
#include "plan/measured_runs.h"
#include "plan/report.h"
#include "recipes/pretrain.h"
#include "text/tokenizer.h"

namespace quern::cli {

namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string model;
  plan::PlanConfig config;
  bool explain = false;
};

bool was_set(const Fields& loaded, std::string_view prefix) {
  return std::ranges::any_of(loaded.all(), [&](const Field& field) {
    return field.key().starts_with(prefix) && !field.origin().empty();
  });
}

std::string preset_names() {
  std::string names;
  for (const model::Preset& preset : model::presets()) names += (names.empty() ? "" : ", ") + preset.name;
  return names;
}

Error unknown_model(const std::string& name) {
  std::vector<std::string> known{"fit"};
  for (const model::Preset& preset : model::presets()) known.push_back(preset.name);
  std::string hint = suggestion(name, known);
  if (hint.empty()) hint = "known sizes: " + preset_names();
  return make_error(ErrorCode::not_found,
                    fmt::format("expected a known size, a model folder or a training file, got '{}'", name),
                    hint);
}

// A configuration of `quern train`: its model, and its workload where the command line does not say otherwise.
Result<model::ModelConfig> read_training_file(Arguments& arguments, const Fields& loaded) {
  recipes::PretrainConfig training;
  Fields fields = fields_of(training);
  QUERN_CHECK(fields.load_file(arguments.model));
  QUERN_CHECK(training.finish(fields));
  if (!training.from.empty()) return model::load_config(training.from);
  plan::PlanConfig& config = arguments.config;
  const train::TrainOptions& train = training.train;
  if (!was_set(loaded, "batch"))
    config.batch = train.micro_batch > 0 ? train.micro_batch : train.batch_sizes.max();
  if (!was_set(loaded, "sequence")) config.sequence = train.sequence_lengths.max();
  if (!was_set(loaded, "dtype")) config.dtype = train.dtype;
  if (!was_set(loaded, "tokens") && config.flops == 0.0 && config.days == 0.0) {
    int64_t tokens = 0;
    for (int64_t step = 0; step < train.steps; ++step)
      tokens += train.batch_sizes.at(step) * train.sequence_lengths.at(step);
    config.tokens = std::to_string(tokens);
  }
  model::ModelConfig model = training.model;
  if (model.max_positions == 0) model.max_positions = train.sequence_lengths.max();
  std::error_code status;
  if (model.vocab_size == 0 && fs::exists(training.tokenizer, status)) {
    QUERN_TRY(const text::Tokenizer tokenizer, text::Tokenizer::load(training.tokenizer));
    model.vocab_size = tokenizer.vocab_size();
  }
  return model;
}

// What MODEL names, before the settings of the command line.
Result<model::ModelConfig> named_model(Arguments& arguments, const Fields& loaded) {
  const std::string& name = arguments.model;
  if (name.empty()) {
    QUERN_TRY(const model::Family* family, model::find_family(arguments.config.model.family));
    return family->defaults();
  }
  if (const model::Preset* preset = model::find_preset(name)) return preset->config;
  std::error_code status;
  if (fs::is_directory(name, status)) return model::load_config(name);
  if (name.ends_with(".yaml") || name.ends_with(".yml")) return read_training_file(arguments, loaded);
  return unknown_model(name);
}

Result<plan::ModelPlan> plan_model(Arguments& arguments, const Fields& loaded) {
  QUERN_TRY(model::ModelConfig named, named_model(arguments, loaded));
  plan::PlanConfig& config = arguments.config;
  QUERN_TRY(config.model, model::with_settings(std::move(named), loaded, "model."));
  if (config.model.vocab_size == 0) {
    return make_error(ErrorCode::invalid_argument, "the size of the vocabulary is not known",
                      "add --set model.vocab_size=N");
  }
  if (config.model.max_positions == 0) config.model.max_positions = std::max<int64_t>(config.sequence, 1024);
  return plan::plan_model(config);
}

Result<void> run_plan(Arguments& arguments, const Fields& loaded, Context& context) {
  const bool about_model = !arguments.model.empty() || was_set(loaded, "model.");
  QUERN_TRY(const double budget, arguments.config.budget());
  if (!about_model && budget == 0.0 && !arguments.explain) {
    return make_error(ErrorCode::invalid_argument, "expected a model or a budget, got neither",
                      "try 'quern plan gpt2' or 'quern plan --flops 1e21'; known sizes: " + preset_names());
  }
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  std::string text;
  if (about_model) {
    QUERN_TRY(const plan::ModelPlan plan, plan_model(arguments, loaded));
    json = plan::to_json(plan);
    text = plan::to_text(plan);
  }
  if (budget > 0.0) {
    const std::vector<plan::Optimum> sizes = plan::optimal_sizes(budget);
    json["budget"] = plan::budget_json(budget, sizes);
    text += (text.empty() ? "" : "\n") + plan::budget_text(budget, sizes);
  }
  if (arguments.explain) {
    json["formulas"] = plan::formulas_json();
    text += plan::formulas_text();
  }
  context.print(context.json ? json.dump(2) + "\n" : text);
  return {};
}

Runner define_plan(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("MODEL", arguments->model,
                 "a known size, a model folder, or a file of `quern train`; the settings model.* change it");
  line.config(arguments->config);
  for (const char* key :
       {"batch", "sequence", "dtype", "rank", "targets", "tokens", "sequences", "context", "flops",
        "hardware", "count", "days", "mfu", "tflops", "memory", "bandwidth", "price"}) {
    line.config_flag(std::string("--") + key, key);
  }
  app.add_flag("--explain", arguments->explain, "print every formula with its source");
  return [arguments, &line](Context& context) { return run_plan(*arguments, line.fields(), context); };
}

struct FitArguments {
  std::vector<std::string> paths;
  std::vector<double> budgets;
};

// Ten and a hundred times what the largest run spent.
std::vector<double> usual_budgets(const std::vector<plan::MeasuredRun>& runs) {
  double largest = 0.0;
  for (const plan::MeasuredRun& run : runs) largest = std::max(largest, 6.0 * run.parameters * run.tokens);
  return {largest, 10.0 * largest, 100.0 * largest};
}

Result<void> run_fit(const FitArguments& arguments, Context& context) {
  std::vector<plan::NamedRun> named;
  for (const std::string& path : arguments.paths) {
    QUERN_TRY(const std::vector<plan::NamedRun> more, plan::read_runs(path));
    named.insert(named.end(), more.begin(), more.end());
  }
  std::vector<plan::MeasuredRun> runs;
  for (const plan::NamedRun& run : named) runs.push_back(run.run);
  QUERN_TRY(const plan::Fit fit, plan::fit_chinchilla(runs));
  const std::vector<double> budgets = arguments.budgets.empty() ? usual_budgets(runs) : arguments.budgets;
  context.print(context.json ? plan::fit_json(fit, named, budgets).dump(2) + "\n"
                             : plan::fit_text(fit, named, budgets));
  return {};
}

Runner define_fit(CommandLine& line) {
  auto arguments = std::make_shared<FitArguments>();
  line.app()
      .add_option(
          "RUNS", arguments->paths,
          "JSONL files with rows {\"parameters\", \"tokens\", \"loss\"}, run folders of `quern train`, or "
          "folders of those")
      ->required();
  line.app()
      .add_option("--flops", arguments->budgets, "budgets to find the optimum for; may be repeated")
      ->type_name("FLOPS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->check(CLI::Range(1.0, 1e40).description(""));
  return [arguments](Context& context) { return run_fit(*arguments, context); };
}

}  // namespace

Command plan_command() {
  return {
      .name = "plan",
      .group = Group::inspect,
      .summary = "parameters, memory, operations, time and cost of a model, and the best size for a budget",
      .details = "Known sizes: " + preset_names() +
                 ".\n\nMODEL is answered for training (memory in full, with LoRA and with QLoRA; time and "
                 "cost) and for generation\n(memory, KV cache, the rate that bandwidth allows). --flops, or "
                 "--days of some --hardware, ask for the compute-optimal\nsize as the scaling laws see it.",
      .examples =
          "quern plan gpt2\n"
          "quern plan llama-3-8b --batch 4 --sequence 4096 --hardware h100 --count 8 --tokens 1G\n"
          "quern plan runs/demo/model --sequences 16\n"
          "quern plan configs/gpt2-small.yaml --set model.vocab_size=32768\n"
          "quern plan --set model.family=llama --set model.layers=16 --set model.hidden=1024 --set "
          "model.heads=16 --set model.vocab_size=32768\n"
          "quern plan --hardware h100 --count 8 --days 3 --mfu 0.4\n"
          "quern plan --flops 1e21 --explain",
      .define = define_plan,
      .subcommands = {
          {.name = "fit",
           .group = Group::inspect,
           .summary = "fit a scaling law to measured runs",
           .details = "Fits L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv 2203.15556, "
                      "equation 2) to final\nvalidation losses, and finds the best N and D for a budget. "
                      "Needs five runs over three sizes and three token\ncounts, each trained until its "
                      "learning rate had decayed.",
           .examples = "quern plan fit runs.jsonl --flops 1e19\nquern plan fit runs/ladder",
           .define = define_fit,
           .subcommands = {}}}};
}

}  // namespace quern::cli
