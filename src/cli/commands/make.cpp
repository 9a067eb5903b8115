// quern make
#include "recipes/make.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/terminal.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "recipes/report.h"
#include "recipes/stage.h"
#include "text/chat_template.h"

namespace quern::cli {

namespace {

struct Arguments {
  std::string recipe;
  std::vector<std::string> settings;
};

// The figures of a stage that fit on a line: its numbers.
std::string figures_of(const recipes::FinishedStage& stage) {
  std::string text;
  const nlohmann::ordered_json figures = stage.record.value("figures", nlohmann::ordered_json::object());
  for (const auto& [name, value] : figures.items()) {
    if (!value.is_number()) continue;
    const double number = value.get<double>();
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name,
                        value.is_number_integer() ? human_count(number) : fmt::format("{:.4g}", number));
  }
  return text;
}

// Of a stage that compares models: a line for each.
std::string comparison_of(const recipes::FinishedStage& stage) {
  const nlohmann::ordered_json& figures = stage.record["figures"];
  TextTable table({"model", ">exact answers", ">preferred to " + figures.value("against", std::string()),
                   ">sums", ">sums, drawn"});
  const auto shown = [](const nlohmann::ordered_json& share) {
    return fmt::format("{:.1f} ± {:.1f} %", 100.0 * share.value("value", 0.0),
                       196.0 * share.value("error", 0.0));
  };
  for (const auto& model : figures["models"])
    table.add({model.value("model", std::string()), shown(model["exact"]), shown(model["wins"]),
               shown(model["sums"]), shown(model["drawn_sums"])});
  return table.to_string(0);
}

bool can_chat(const std::filesystem::path& model) {
  const Result<text::ChatTemplates> templates = text::ChatTemplates::load(model);
  return templates.ok() && !templates->empty();
}

std::string to_text(const recipes::Recipe& recipe, const std::vector<recipes::FinishedStage>& stages) {
  TextTable table({"stage", "kind", "time", "result"});
  for (const recipes::FinishedStage& stage : stages) {
    table.add({stage.name, stage.kind, human_duration(stage.seconds) + (stage.reused ? " (reused)" : ""),
               figures_of(stage)});
  }
  std::string text = table.to_string(0);
  for (const recipes::FinishedStage& stage : stages) {
    if (stage.kind == "compare") text += "\n" + comparison_of(stage);
    if (stage.kind != "pretrain") continue;
    const std::string model = (recipe.out / stage.name).string();
    text += "\n";
    if (can_chat(stage.folder / "model")) text += fmt::format("Talk to it:  quern chat {}\n", model);
    text += fmt::format("Go on from:  quern generate {} -p \"Once\"\n", model);
  }
  return text;
}

nlohmann::ordered_json to_json(const std::vector<recipes::FinishedStage>& stages) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const recipes::FinishedStage& stage : stages) {
    json.push_back({{"stage", stage.name},
                    {"kind", stage.kind},
                    {"key", stage.key},
                    {"folder", stage.folder.string()},
                    {"reused", stage.reused},
                    {"seconds", stage.seconds},
                    {"figures", stage.record.value("figures", nlohmann::ordered_json::object())}});
  }
  return json;
}

Result<void> make_recipe(const Arguments& arguments, Context& context) {
  QUERN_TRY(const recipes::Recipe recipe, recipes::load_recipe(arguments.recipe, arguments.settings));
  const InterruptGuard guard;
  recipes::MakeHow how;
  how.progress = context.progress;
  how.should_stop = [] { return InterruptGuard::requested(); };
  int64_t number = 0;
  how.announce = [&](const recipes::StageSpec& stage, bool reused) {
    ++number;
    if (context.quiet) return;
    terminal::print_line(fmt::format("[{}/{}] {} ({}){}", number, recipe.stages.size(), stage.name,
                                     stage.kind, reused ? ": already made" : ""));
  };
  QUERN_TRY(const std::vector<recipes::FinishedStage> stages, recipes::make(recipe, how));
  QUERN_TRY(const std::filesystem::path report, recipes::write_report(recipe, stages));
  context.print(context.json ? to_json(stages).dump(2) + "\n"
                             : to_text(recipe, stages) + "Report:      " + report.string() + "\n");
  return {};
}

std::string kinds() {
  std::string text = "Kinds of stages:\n";
  for (const recipes::StageKind& kind : recipes::stage_kinds())
    text += fmt::format("  {:<10} {}\n", kind.name, kind.summary);
  return text;
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.app().add_option("RECIPE", arguments->recipe, "YAML file that names the stages")->required();
  line.app()
      .add_option("--set", arguments->settings,
                  "change a setting of the recipe, or of a stage: STAGE.KEY=VALUE")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  return [arguments](Context& context) { return make_recipe(*arguments, context); };
}

}  // namespace

Command make_command() {
  return {.name = "make",
          .group = Group::recipe,
          .summary = "run a recipe: every stage from raw text to a model, skipping what is done",
          .details =
              "A stage is known by its settings and the content of its inputs: finished ones are skipped, "
              "and one that "
              "was cut off goes on where it stopped.\n\n" +
              kinds(),
          .examples =
              "quern make recipes/demo.yaml\n"
              "quern make recipes/text.yaml --set data.path=docs/handbook --set model.train.steps=20",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
