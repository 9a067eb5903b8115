#include "recipes/critique.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "data/examples/messages.h"
#include "recipes/asked_run.h"

namespace quern::recipes {

namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kAtATime = 64;  // prompts that go through all steps together

// What makes other rows.
Json settings_for(CritiqueConfig config, const align::PromptSet& prompts,
                  const writing::Constitution& constitution) {
  Json settings = fields_of(config).to_json();
  for (const char* key : {"out", "judge"}) settings.erase(key);
  settle_respondent(settings, config.who);
  if (!config.judge.model.empty()) settings["judge"] = config.judge.identity();
  settings["key_of_prompts"] = fmt::format("{:016x}", prompts.key());
  settings["key_of_constitution"] = constitution.key();
  return settings;
}

Json said(const std::string& text) { return Json::array({data::message_of("assistant", text)}); }

Json row_for(const align::Prompt& prompt, const writing::Revised& revised) {
  Json row = {{"prompt", prompt.asked}, {"completion", said(revised.text())}};
  if (!prompt.tools.is_null()) row["tools"] = prompt.tools;
  row["initial"] = revised.initial;
  row["revisions"] = Json::array();
  for (const writing::Revision& r : revised.revisions)
    row["revisions"].push_back({{"principle", r.principle}, {"critique", r.critique}, {"text", r.text}});
  return row;
}

Json row_for(const align::Prompt& prompt, const writing::Compared& compared) {
  const int chosen = compared.chosen();
  const double p = compared.probability();
  Json row = {{"prompt", prompt.asked},
              {"chosen", said(compared.answers[chosen])},
              {"rejected", said(compared.answers[1 - chosen])},
              {"margin", 2.0 * p - 1.0},
              {"probability", p},
              {"principle", compared.principle}};
  if (!prompt.tools.is_null()) row["tools"] = prompt.tools;
  return row;
}

// Rows and left-out prompts of a run, as they come.
struct Written {
  Rows rows, left_out;
  CritiqueReport report;

  template <class Outcome>
  void take(const align::Prompt& prompt, const Outcome& outcome) {
    ++report.prompts;
    if (outcome.kept()) {
      rows.push_back(row_for(prompt, outcome));
      return;
    }
    left_out.push_back({{"reason", outcome.reason}, {"what", outcome.what}, {"prompt", prompt.asked}});
    ++report.reasons[outcome.reason];
    report.first.emplace(outcome.reason, outcome.what);
  }
};

// The models that are asked, with a journal between. Neither moves.
class Asked {
 public:
  static Result<std::unique_ptr<Asked>> open(const CritiqueConfig& config,
                                             const std::shared_ptr<const infer::LoadedModel>& loaded) {
    auto asked = std::make_unique<Asked>();
    const int64_t longest = config.revisions.how.max_tokens;
    QUERN_TRY(const int64_t context, context_of(loaded.get(), config.context, longest));
    QUERN_TRY(asked->model_, config.who.open(loaded, context));
    if (config.judge.model.empty()) return asked;
    QUERN_TRY(const auto judge, config.judge.load());
    QUERN_CHECK(need_chat_template(judge.get()));
    QUERN_TRY(const int64_t room, context_of(judge.get(), config.context, 1));
    QUERN_TRY(asked->judge_, config.judge.open(judge, room));
    return asked;
  }

  writing::Respondent& model() { return *model_; }
  writing::Respondent& judge() { return judge_ ? *judge_ : *model_; }

 private:
  std::unique_ptr<writing::Respondent> model_, judge_;
};

Result<Written> write(const CritiqueConfig& config, const align::PromptSet& prompts,
                      const writing::Constitution& constitution, writing::Respondent& model,
                      writing::Respondent& judge, ProgressScope& scope) {
  Written written;
  for (int64_t begin = 0; begin < prompts.size(); begin += kAtATime) {
    const int64_t end = std::min(begin + kAtATime, prompts.size());
    const auto take = [&](const auto& outcomes) {
      for (size_t i = 0; i < outcomes.size(); ++i)
        written.take(prompts[begin + static_cast<int64_t>(i)], outcomes[i]);
    };
    if (config.preferences) {
      QUERN_TRY(const auto compared,
                writing::compare(prompts, begin, end, constitution, config.comparison, model, judge));
      take(compared);
      for (const auto& pair : compared) written.report.probability += pair.kept() ? pair.probability() : 0.0;
    } else {
      QUERN_TRY(const auto revised,
                writing::critique(prompts, begin, end, constitution, config.revisions, model));
      take(revised);
      for (const auto& one : revised)
        written.report.unchanged += one.kept() && one.text() == one.initial ? 1 : 0;
    }
    scope.update(end);
  }
  CritiqueReport& report = written.report;
  report.written = static_cast<int64_t>(written.rows.size());
  report.probability /= static_cast<double>(std::max<int64_t>(1, report.written));
  if (!written.rows.empty()) report.sample = written.rows.front();
  return written;
}

}  // namespace

void CritiqueConfig::fields(Fields& f) {
  who.fields(f);
  f.add("prompts", prompts, "file of rows with \"prompt\" (text or messages): .jsonl or .json").required();
  f.add("constitution", constitution, "YAML or JSON: principles with critique, revision and preference")
      .required();
  f.add("out", out, "folder of the results").required();
  f.add("preferences", preferences, "write pairs of answers and which is better, in place of revisions");
  f.add("rounds", revisions.rounds, "critiques and revisions of an answer, one after the other")
      .range(0, 1000);
  f.add("tie", comparison.tie, "of pairs: left out where the probability is nearer to 1/2").range(0, 0.5);
  f.add("least_choice", comparison.least_choice,
        "of pairs: the probability that the judge says A or B at all; left out below it")
      .range(0, 1);
  f.add("cut_off", revisions.cut_off, "keep texts, too, that the limit of tokens ended");
  f.add("max_tokens", revisions.how.max_tokens, "of an answer, a critique and a revision, at most")
      .at_least(1);
  f.add("temperature", revisions.how.temperature, "at which they are drawn; 0: the likeliest token each time")
      .range(0, 100);
  f.add("top_k", revisions.how.top_k, "draw from the k likeliest tokens; 0: from all").at_least(0);
  f.add("top_p", revisions.how.top_p, "draw from the fewest tokens with this share").range(0.01, 1);
  f.add("context", context, "tokens of a question with its answer, of a model on this machine").at_least(2);
  f.add("seed", revisions.how.seed, "same seed, same answers and principles");
  f.group("judge", judge);
}

Result<void> CritiqueConfig::finish(const Fields& loaded) {
  QUERN_CHECK(who.check(loaded));
  comparison.how = revisions.how;
  comparison.cut_off = revisions.cut_off;
  if (preferences && comparison.how.temperature == 0.0) {
    return make_error(ErrorCode::invalid_argument,
                      "preferences need two answers, and at temperature 0 both would be the same",
                      "set temperature=1");
  }
  if (!preferences && !judge.model.empty()) {
    return make_error(ErrorCode::invalid_argument, "judge.model is set, and nothing is judged",
                      "--preferences makes pairs");
  }
  return {};
}

Json summary_of(const CritiqueReport& report) {
  Json json = {{"complete", !report.interrupted}};
  if (report.interrupted) return json;
  json["prompts"] = report.prompts;
  json["written"] = report.written;
  if (report.preferences)
    json["probability"] = report.probability;
  else
    json["unchanged"] = report.unchanged;
  json["left_out"] = Json::object();
  for (const auto& [reason, count] : report.reasons) json["left_out"][reason] = count;
  return json;
}

Result<CritiqueReport> critique(const CritiqueConfig& config, bool resume, bool overwrite,
                                Progress& progress) {
  QUERN_TRY(const writing::Constitution constitution, writing::read_constitution(config.constitution));
  if (config.preferences && !constitution.has_preferences()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: no principle has a preference", config.constitution),
                      "preference is the question which of two answers is better");
  }
  QUERN_TRY(const auto loaded, config.who.load());
  QUERN_CHECK(need_chat_template(loaded.get()));
  const align::PromptOptions how = {.texts_as_messages = true,
                                    .max_tokens = std::max<int64_t>(1, config.context)};
  QUERN_TRY(const align::PromptSet prompts, loaded ? align::PromptSet::read(config.prompts, *loaded, how)
                                                   : align::PromptSet::read(config.prompts, how));
  QUERN_TRY(const auto asked, Asked::open(config, loaded));
  QUERN_TRY(AskedRun run, AskedRun::open(config.out, config.preferences ? "preferences" : "revised",
                                         settings_for(config, prompts, constitution), resume, overwrite));
  writing::JournaledRespondent model(asked->model(), run.journal(), config.who.model);
  writing::JournaledRespondent judge(asked->judge(), run.journal(), config.judge.model);
  ProgressScope scope(progress, "critique", prompts.size(), "prompts");
  Result<Written> written = write(config, prompts, constitution, model, judge, scope);
  if (!written.ok() && written.error().code == ErrorCode::cancelled) {
    CritiqueReport report;
    report.interrupted = true;
    return report;
  }
  if (!written.ok()) {
    run.give_up();
    return std::move(written).error();
  }
  CritiqueReport& report = written->report;
  report.preferences = config.preferences;
  QUERN_CHECK(run.write("left_out.jsonl", lines_of(written->left_out)));
  QUERN_CHECK(run.finish(written->rows, summary_of(report)));
  return report;
}

}  // namespace quern::recipes
