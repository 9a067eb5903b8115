// quern data instruct
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/text_table.h"
#include "cli/command_line.h"
#include "cli/respondent_flags.h"
#include "recipes/instruct.h"

namespace quern::cli {

namespace {

struct Arguments {
  recipes::InstructConfig config;
  bool resume = false, overwrite = false;
};

constexpr size_t kShownRows = 3, kShownText = 100;

std::string shortened(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  if (text.size() > kShownText) text = text.substr(0, kShownText) + "...";
  return text;
}

// One line for each reason, with the first task that was left out for it; then the first rows.
std::string to_text(const recipes::InstructReport& report, const std::string& out) {
  TextTable table({"", ""});
  if (report.interrupted) {
    table.add({"interrupted", "what was answered is kept; --resume goes on"});
    return table.to_string(0);
  }
  const writing::InstructResult& r = report.result;
  table.add({"tasks", out + "/instructions.jsonl"});
  table.add({"written", fmt::format("{} of {} proposed, from {} seeds in {} rounds", r.tasks.size(),
                                    r.proposed, report.seeds, r.rounds)});
  if (!r.complete()) table.add({"given up", fmt::format("after {} rounds without a new one", r.given_up)});
  table.add({"left out", fmt::format("{}, in {}/left_out.jsonl", r.left_out.size(), out)});
  for (const std::string_view reason : writing::reasons_to_leave_out()) {
    const auto first = std::ranges::find(r.left_out, reason, &writing::LeftOutTask::reason);
    if (first == r.left_out.end()) continue;
    table.add({fmt::format("  {}", reason), fmt::format("{}, first: {}: {}", r.reasons.at(first->reason),
                                                        shortened(first->what), shortened(first->text))});
  }
  std::string text = table.to_string(0);
  for (size_t i = 0; i < std::min(kShownRows, r.tasks.size()); ++i) {
    const writing::Task& task = r.tasks[i];
    text += fmt::format("\ninstruction: {}\n", shortened(task.instruction));
    if (!task.input.empty()) text += fmt::format("input: {}\n", shortened(task.input));
    text += fmt::format("output: {}\n", shortened(task.output));
  }
  return text;
}

Result<void> run(Arguments& arguments, const Fields& loaded, Context& context) {
  recipes::InstructConfig& config = arguments.config;
  QUERN_CHECK(config.finish(loaded));
  const InterruptGuard guard;
  QUERN_CHECK(find_respondent(config.who));
  QUERN_TRY(const recipes::InstructReport report,
            recipes::instruct(config, arguments.resume, arguments.overwrite, *context.progress));
  if (report.interrupted || !report.result.complete()) context.exit_status = 1;
  context.print(context.json ? recipes::summary_of(report).dump(2) + "\n" : to_text(report, config.out));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.config(arguments->config, "CONFIG");
  add_respondent_flags(line);
  add_resume_flags(line, arguments->resume, arguments->overwrite);
  return [arguments, &line](Context& context) { return run(*arguments, line.fields(), context); };
}

}  // namespace

Command data_instruct_command() {
  return {
      .name = "instruct",
      .group = Group::data,
      .summary = "let a model write tasks and do them, as examples to tune on",
      .details =
          "Self-Instruct (arXiv 2212.10560): a model that is shown some tasks writes others, and does them.\n"
          "Those too much like others (ROUGE-L), too short or long, about what a text model cannot do, or\n"
          "without an answer are left out, each with its reason in OUT/left_out.jsonl. Rows of\n"
          "OUT/instructions.jsonl are read by `quern data prepare`.",
      .examples =
          "quern data instruct configs/instruct.yaml --model smollm2\n"
          "quern data instruct configs/instruct.yaml --endpoint https://HOST/v1 --model NAME --set count=500",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
