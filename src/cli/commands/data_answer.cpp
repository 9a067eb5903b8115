// quern data answer
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/text_table.h"
#include "cli/command_line.h"
#include "cli/respondent_flags.h"
#include "recipes/answer.h"

namespace quern::cli {

namespace {

struct Arguments {
  recipes::AnswerConfig config;
  bool resume = false, overwrite = false;
};

std::string to_text(const recipes::AnswerReport& r, const std::string& out) {
  TextTable table({"", ""});
  if (r.complete) {
    table.add({"answers", out + "/answers.jsonl"});
  } else {
    table.add({"interrupted", fmt::format("after {} prompts; --resume goes on", r.prompts)});
  }
  table.add({"written", fmt::format("{} of {} answers to {} prompts", r.written, r.answers, r.prompts)});
  if (r.unanswered > 0) table.add({"without an answer", fmt::format("{} prompts", r.unanswered)});
  if (r.cut_off > 0) table.add({"cut off", fmt::format("{} answers, by max_tokens", r.cut_off)});
  if (r.refused > 0)
    table.add({"refused",
               fmt::format("{} questions, by who was asked; the first: {}", r.refused, r.first_refusal)});
  if (r.empty > 0) table.add({"empty", fmt::format("{} answers, left out", r.empty)});
  table.add({"length", fmt::format("{:.1f} tokens on average", r.tokens)});
  if (r.rewarded)
    table.add(
        {"reward", fmt::format("{:.4f} of all answers, {:.4f} of those written", r.reward, r.kept_reward)});
  return table.to_string(0);
}

Result<void> run(Arguments& arguments, const Fields& loaded, Context& context) {
  recipes::AnswerConfig& config = arguments.config;
  QUERN_CHECK(config.finish(loaded));
  const InterruptGuard guard;
  QUERN_CHECK(find_respondent(config.who));
  QUERN_TRY(const recipes::AnswerReport report,
            recipes::answer(config, arguments.resume, arguments.overwrite, *context.progress));
  if (!report.complete) context.exit_status = 1;
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

Command data_answer_command() {
  return {
      .name = "answer",
      .group = Group::data,
      .summary = "draw answers of a model to prompts, as examples to tune another on",
      .details =
          "Rows of OUT/answers.jsonl are read by `quern data prepare`: a student that learns them learns "
          "from\n"
          "the model that gave them (sequence-level distillation), whatever its vocabulary. With rewards,\n"
          "answers worth too little are left out (rejection sampling), or the best of several is kept.\n"
          "The model may be behind an endpoint that speaks OpenAI's API; its key is what the environment\n"
          "variable QUERN_ENDPOINT_KEY holds.",
      .examples =
          "quern data answer --set model=teacher --set prompts=questions.jsonl --set out=data/taught\n"
          "quern data answer --set model=smollm2 --set prompts=sums.jsonl --set out=data/best "
          "--set samples=8 --set keep=best --set rewards.numeric.weight=1 --set least_reward=1\n"
          "quern data answer --endpoint https://HOST/v1 --model NAME --set prompts=questions.jsonl --set "
          "out=data/taught",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
