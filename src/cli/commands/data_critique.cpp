// quern data critique
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/text_table.h"
#include "cli/command_line.h"
#include "cli/respondent_flags.h"
#include "recipes/critique.h"

namespace quern::cli {

namespace {

struct Arguments {
  recipes::CritiqueConfig config;
  bool resume = false, overwrite = false, preferences = false;
};

constexpr size_t kShownText = 300;

std::string shortened(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  if (text.size() > kShownText) text = text.substr(0, kShownText) + "...";
  return text;
}

std::string last_said(const nlohmann::ordered_json& messages) {
  return shortened(messages.back()["content"].get<std::string>());
}

// The first row: what was asked, and what became of it.
std::string shown(const nlohmann::ordered_json& row) {
  std::string text = fmt::format("\nprompt: {}\n", last_said(row["prompt"]));
  if (row.contains("chosen")) {
    return text + fmt::format("chosen ({:.3f}, {}): {}\nrejected: {}\n", row["probability"].get<double>(),
                              row["principle"].get<std::string>(), last_said(row["chosen"]),
                              last_said(row["rejected"]));
  }
  text += fmt::format("answer: {}\n", shortened(row["initial"].get<std::string>()));
  for (const auto& revision : row["revisions"]) {
    text += fmt::format("critique ({}): {}\nrevision: {}\n", revision["principle"].get<std::string>(),
                        shortened(revision["critique"].get<std::string>()),
                        shortened(revision["text"].get<std::string>()));
  }
  return text;
}

std::string to_text(const recipes::CritiqueReport& r, const std::string& out) {
  TextTable table({"", ""});
  if (r.interrupted) {
    table.add({"interrupted", "what was answered is kept; --resume goes on"});
    return table.to_string(0);
  }
  table.add({r.preferences ? "pairs" : "revisions",
             fmt::format("{}/{}.jsonl", out, r.preferences ? "preferences" : "revised")});
  table.add({"written", fmt::format("{} of {} prompts", r.written, r.prompts)});
  if (r.preferences && r.written > 0)
    table.add({"probability", fmt::format("{:.3f} of those chosen, on average", r.probability)});
  if (r.unchanged > 0) table.add({"unchanged", fmt::format("{} answers by all revisions", r.unchanged)});
  table.add({"left out", fmt::format("{}, in {}/left_out.jsonl", r.prompts - r.written, out)});
  for (const auto& [reason, count] : r.reasons)
    table.add(
        {fmt::format("  {}", reason), fmt::format("{}, first: {}", count, shortened(r.first.at(reason)))});
  return table.to_string(0) + (r.sample.is_null() ? "" : shown(r.sample));
}

Result<void> run(Arguments& arguments, const Fields& loaded, Context& context) {
  recipes::CritiqueConfig& config = arguments.config;
  config.preferences = config.preferences || arguments.preferences;
  QUERN_CHECK(config.finish(loaded));
  const InterruptGuard guard;
  QUERN_CHECK(find_respondent(config.who));
  QUERN_CHECK(find_respondent(config.judge));
  QUERN_TRY(const recipes::CritiqueReport report,
            recipes::critique(config, arguments.resume, arguments.overwrite, *context.progress));
  if (report.interrupted) context.exit_status = 1;
  context.print(context.json ? recipes::summary_of(report).dump(2) + "\n" : to_text(report, config.out));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.config(arguments->config, "CONFIG");
  add_respondent_flags(line);
  line.app().add_flag("--preferences", arguments->preferences, "write pairs of answers and which is better");
  add_resume_flags(line, arguments->resume, arguments->overwrite);
  return [arguments, &line](Context& context) { return run(*arguments, line.fields(), context); };
}

}  // namespace

Command data_critique_command() {
  return {
      .name = "critique",
      .group = Group::data,
      .summary = "let a model revise answers by principles, or judge pairs of them",
      .details =
          "Constitutional AI (arXiv 2212.08073): the model answers each prompt, says by a principle of the\n"
          "constitution what is wrong with its answer, and writes a better one. Rows of OUT/revised.jsonl "
          "have\n"
          "the last revision as the answer, to tune on. With --preferences it answers each prompt twice, and "
          "is\n"
          "asked in both orders which answer is better; rows of OUT/preferences.jsonl are what DPO and "
          "reward\n"
          "models learn from. `quern data prepare` reads both.",
      .examples =
          "quern data critique configs/critique.yaml --model smollm2 --set prompts=questions.jsonl\n"
          "quern data critique configs/critique.yaml --model smollm2 --set prompts=questions.jsonl "
          "--preferences",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
