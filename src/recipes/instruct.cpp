#include "recipes/instruct.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/hash.h"
#include "recipes/asked_run.h"

namespace quern::recipes {

namespace {

using Json = nlohmann::ordered_json;

// What makes other tasks.
Json settings_for(InstructConfig config, const std::vector<writing::Task>& seeds) {
  Json settings = fields_of(config).to_json();
  settings.erase("out");
  settle_respondent(settings, config.who);
  Hasher hasher;
  for (const writing::Task& seed : seeds) hasher.add(seed.instruction).add(seed.input).add(seed.output);
  settings["key_of_seeds"] = hasher.result().hex();
  return settings;
}

Rows rows_of(const std::vector<writing::Task>& tasks) {
  Rows rows;
  for (const writing::Task& task : tasks)
    rows.push_back({{"instruction", task.instruction}, {"input", task.input}, {"output", task.output}});
  return rows;
}

Rows rows_of(const std::vector<writing::LeftOutTask>& left_out) {
  Rows rows;
  for (const writing::LeftOutTask& task : left_out)
    rows.push_back({{"reason", task.reason}, {"what", task.what}, {"text", task.text}});
  return rows;
}

}  // namespace

void InstructConfig::fields(Fields& f) {
  using writing::InstructForm;
  who.fields(f);
  f.add("seeds", seeds, "file of tasks to begin with: rows {\"instruction\", \"input\", \"output\"}")
      .required();
  f.add("out", out, "folder of the results").required();
  f.add("count", how.count, "rows to write").at_least(1);
  f.add("form", how.form, "tasks in steps (Self-Instruct), or whole ones in one answer (Alpaca)",
        {{"steps", InstructForm::steps}, {"whole", InstructForm::whole}});
  f.add("inputs", how.inputs, "of form steps: let the model write what is given along with a task");
  f.add("requests", how.requests, "for tasks, in a round; the next one shows tasks of those before")
      .range(1, 4096);
  f.add("per_request", how.per_request, "tasks that each asks for").range(1, 100);
  f.add("examples", how.examples, "tasks shown in each").range(1, 100);
  f.add("generated_examples", how.generated_examples,
        "of them, at most so many of the model's own; of form steps")
      .range(0, 100);
  f.add("input_examples", how.input_examples, "seeds shown where an input is asked for").range(0, 100);
  f.add("patience", how.patience, "rounds without a row, after which it is given up").at_least(1);
  f.add("similarity", how.filter.similarity,
        "ROUGE-L with a task there is, from which on a new one is left out; above 1: never")
      .range(0.01, 2);
  f.add("least_words", how.filter.least_words, "of an instruction").at_least(0);
  f.add("most_words", how.filter.most_words, "of an instruction").at_least(1);
  f.add("without", how.filter.words,
        "words of what a text model cannot do: instructions with one are left out");
  f.add("not_beginning", how.filter.beginnings, "instructions that begin so are left out");
  f.add("ascii_start", how.filter.ascii_start,
        "leave instructions out that begin with anything but a letter or digit of ASCII");
  f.add("temperature", how.temperature, "at which tasks and inputs are drawn").range(0, 100);
  f.add("top_p", how.top_p, "draw them from the fewest tokens with this share").range(0.01, 1);
  f.add("answer_temperature", how.answer_temperature, "of outputs; 0: the likeliest token each time")
      .range(0, 100);
  f.add("task_tokens", how.task_tokens, "of an answer with tasks, at most").at_least(1);
  f.add("input_tokens", how.input_tokens, "of an input, at most").at_least(1);
  f.add("answer_tokens", how.answer_tokens, "of an output, at most").at_least(1);
  f.add("context", context, "tokens of a question with its answer, of a model on this machine").at_least(2);
  f.add("seed", how.seed, "same seed, same tasks");
}

Json summary_of(const InstructReport& report) {
  Json json;
  json["complete"] = !report.interrupted && report.result.complete();
  if (report.interrupted) return json;
  const writing::InstructResult& r = report.result;
  json["written"] = r.tasks.size();
  json["seeds"] = report.seeds;
  json["rounds"] = r.rounds;
  json["questions"] = r.questions;
  json["proposed"] = r.proposed;
  json["left_out"] = Json::object();
  for (const std::string_view reason : writing::reasons_to_leave_out()) {
    const auto found = r.reasons.find(std::string(reason));
    if (found != r.reasons.end()) json["left_out"][found->first] = found->second;
  }
  return json;
}

Result<InstructReport> instruct(const InstructConfig& config, bool resume, bool overwrite,
                                Progress& progress) {
  QUERN_TRY(std::vector<writing::Task> seeds, writing::read_seed_tasks(config.seeds));
  QUERN_TRY(const auto loaded, config.who.load());
  QUERN_CHECK(need_chat_template(loaded.get()));
  const int64_t longest =
      std::max({config.how.task_tokens, config.how.input_tokens, config.how.answer_tokens});
  QUERN_TRY(const int64_t context, context_of(loaded.get(), config.context, longest));
  QUERN_TRY(const auto model, config.who.open(loaded, context));
  QUERN_TRY(AskedRun run,
            AskedRun::open(config.out, "instructions", settings_for(config, seeds), resume, overwrite));
  writing::JournaledRespondent respondent(*model, run.journal(), config.who.model);
  InstructReport report;
  report.seeds = static_cast<int64_t>(seeds.size());
  ProgressScope scope(progress, "instruct", config.how.count, "rows");
  Result<writing::InstructResult> result = writing::self_instruct(std::move(seeds), config.how, respondent,
                                                                  [&](int64_t rows) { scope.update(rows); });
  if (!result.ok() && result.error().code == ErrorCode::cancelled) {
    report.interrupted = true;
    return report;
  }
  if (!result.ok()) {
    run.give_up();
    return std::move(result).error();
  }
  report.result = *std::move(result);
  QUERN_CHECK(run.write("left_out.jsonl", lines_of(rows_of(report.result.left_out))));
  QUERN_CHECK(run.finish(rows_of(report.result.tasks), summary_of(report)));
  return report;
}

}  // namespace quern::recipes
