#include "recipes/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/version.h"
#include "data/examples/messages.h"
#include "recipes/part_files.h"
#include "writing/reply_journal.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kBlock = 64;  // prompts that are answered between two saves

// What is done of a run: rows behind one another in a file that is only ever added to, and beside it, replaced as a whole
// after each block, how much of it counts.
class AnswerFiles {
 public:
  explicit AnswerFiles(const fs::path& folder)
      : rows_(folder / "answers.jsonl"),
        part_(folder / "answers.part.jsonl"),
        state_(folder / "answers.part.json") {}

  // As PartFiles::open.
  Result<std::optional<Json>> open(const Json& settings, bool resume, bool overwrite) const {
    QUERN_TRY(std::optional<Json> state, parts().open(settings, resume, overwrite));
    std::error_code ignored;
    if (state) fs::resize_file(part_, state->value("bytes", uint64_t{0}), ignored);
    return state;
  }
  PartFiles parts() const { return {.done = rows_, .state = state_, .rest = {part_, journal()}}; }
  fs::path journal() const { return fs::path(rows_).replace_filename("answers.part.replies.jsonl"); }

  // Adds rows, and saves the state, to which their bytes are added.
  Result<void> add(const std::string& rows, Json& state) const {
    std::ofstream file(part_, std::ios::app | std::ios::binary);
    file << rows;
    file.close();
    if (!file) return file_error("write", part_, errno);
    state["bytes"] = state.value("bytes", uint64_t{0}) + rows.size();
    return write_file_atomic(state_, state.dump(2) + "\n");
  }

  Result<void> finish() const {
    std::error_code ignored;
    QUERN_CHECK(rename_durably(part_, rows_));
    fs::remove(state_, ignored);
    return {};
  }

 private:
  fs::path rows_, part_, state_;
};

Json counters_of(const AnswerReport& r) {
  return {{"prompts", r.prompts},
          {"answers", r.answers},
          {"written", r.written},
          {"cut_off", r.cut_off},
          {"empty", r.empty},
          {"unanswered", r.unanswered},
          {"refused", r.refused},
          {"first_refusal", r.first_refusal},
          {"tokens", r.tokens},
          {"reward", r.reward},
          {"kept_reward", r.kept_reward}};
}

// Counters as they are while a run goes on: sums where the report has averages.
AnswerReport counters_from(const Json& json) {
  AnswerReport r;
  r.prompts = json.at("prompts"), r.answers = json.at("answers"), r.written = json.at("written");
  r.cut_off = json.at("cut_off"), r.empty = json.at("empty"), r.unanswered = json.at("unanswered"),
  r.refused = json.at("refused"), r.first_refusal = json.at("first_refusal");
  r.tokens = json.at("tokens");
  r.reward = json.at("reward"), r.kept_reward = json.at("kept_reward");
  return r;
}

// The prompt and its answer, in the form that examples have.
Json row_of(const align::Prompt& prompt, const std::string& text, std::optional<double> reward) {
  Json row = {{"prompt", prompt.asked}};
  if (prompt.asked.is_string())
    row["completion"] = text;
  else
    row["completion"] = Json::array({data::message_of("assistant", text)});
  if (!prompt.tools.is_null()) row["tools"] = prompt.tools;
  if (reward) row["reward"] = *reward;
  return row;
}

class Answerer {
 public:
  static Result<Answerer> create(const AnswerConfig& config) {
    QUERN_TRY(const auto loaded, config.who.load());
    const align::PromptOptions how = {
        .texts_as_messages = config.texts_as_messages,
        .max_tokens = loaded ? loaded->model.config().max_positions - config.how.max_tokens : 1,
        .references = config.rewards.needs_references()};
    QUERN_TRY(align::PromptSet prompts, loaded ? align::PromptSet::read(config.prompts, *loaded, how)
                                               : align::PromptSet::read(config.prompts, how));
    align::Rewards rewards;
    if (config.rewards.any()) {
      QUERN_TRY(rewards, config.rewards.open(loaded.get(), config.who.dtype));
    }
    QUERN_TRY(auto respondent, config.who.open(loaded, prompts.longest() + config.how.max_tokens));
    return Answerer(config, std::move(prompts), std::move(rewards), std::move(respondent));
  }

  const align::PromptSet& prompts() const { return prompts_; }

  // Answers the block of prompts that begins at `begin`: their rows, and what is counted of them. What the journal knows is not
  // asked again.
  Result<std::string> answer(int64_t begin, writing::ReplyJournal& journal, AnswerReport& report) {
    const int64_t end = std::min(begin + kBlock, prompts_.size());
    std::vector<writing::Question> asked;
    for (int64_t i = 0; i < (end - begin) * config_->samples; ++i) {
      const align::Prompt& prompt = prompts_[begin + i / config_->samples];
      const auto block = static_cast<uint64_t>(begin / kBlock);
      asked.push_back({prompt.asked, prompt.tools, block << 32 | static_cast<uint64_t>(i)});
    }
    writing::JournaledRespondent respondent(*respondent_, journal, config_->who.model);
    QUERN_TRY(const std::vector<writing::Reply> answers, respondent.ask(asked, config_->how));
    std::vector<align::Answered> judged;
    for (size_t i = 0; i < answers.size(); ++i) {
      const writing::Reply& a = answers[i];
      judged.push_back({&prompts_[begin + static_cast<int64_t>(i) / config_->samples], a.text, a.tokens,
                        a.ended, a.drawn});
      report.refused += a.refusal.empty() ? 0 : 1;
      if (report.first_refusal.empty()) report.first_refusal = a.refusal;
    }
    std::vector<double> worth;
    if (!rewards_.empty()) {
      QUERN_TRY(const align::Rewards::Scores scores, rewards_.score(judged));
      worth = scores.total;
    }
    std::string rows;
    const auto each = static_cast<size_t>(config_->samples);
    for (size_t first = 0; first < judged.size(); first += each) {
      const size_t before = rows.size();
      for (const size_t i : kept(judged, worth, first)) {
        const std::optional<double> reward = worth.empty() ? std::nullopt : std::optional(worth[i]);
        rows += row_of(*judged[i].prompt, std::string(judged[i].text), reward)
                    .dump(-1, ' ', false, Json::error_handler_t::replace) +
                "\n";
        ++report.written;
        report.kept_reward += reward.value_or(0.0);
      }
      if (rows.size() == before) ++report.unanswered;
    }
    report.prompts += end - begin;
    report.answers += static_cast<int64_t>(judged.size());
    for (size_t i = 0; i < judged.size(); ++i) {
      if (!answers[i].refusal.empty()) continue;
      report.cut_off += judged[i].ended ? 0 : 1;
      report.empty += judged[i].text.empty() ? 1 : 0;
      report.tokens += static_cast<double>(judged[i].tokens);
      if (!worth.empty()) report.reward += worth[i];
    }
    return rows;
  }

 private:
  Answerer(const AnswerConfig& config, align::PromptSet prompts, align::Rewards rewards,
           std::unique_ptr<writing::Respondent> respondent)
      : config_(&config),
        prompts_(std::move(prompts)),
        rewards_(std::move(rewards)),
        respondent_(std::move(respondent)) {}

  // Of the answers to one prompt, which begin at `first`.
  std::vector<size_t> kept(const std::vector<align::Answered>& answers, const std::vector<double>& worth,
                           size_t first) const {
    std::vector<size_t> good;
    for (size_t i = first; i < first + static_cast<size_t>(config_->samples); ++i) {
      const bool fits = (answers[i].ended || config_->cut_off) && !answers[i].text.empty();
      if (fits && (!config_->has_least_reward || worth[i] >= config_->least_reward)) good.push_back(i);
    }
    if (config_->keep == KeptAnswers::all || good.empty()) return good;
    // The first of equals.
    return {*std::ranges::max_element(good, {}, [&](size_t i) { return worth[i]; })};
  }

  const AnswerConfig* config_;
  align::PromptSet prompts_;
  align::Rewards rewards_;
  std::unique_ptr<writing::Respondent> respondent_;
};

// What makes other answers.
Json settings_of(AnswerConfig config, const align::PromptSet& prompts) {
  Json settings = fields_of(config).to_json();
  settings.erase("out");
  settle_respondent(settings, config.who);
  settings["key_of_prompts"] = fmt::format("{:016x}", prompts.key());
  return settings;
}

// Sums become averages.
AnswerReport averaged(AnswerReport report) {
  report.tokens /= static_cast<double>(std::max<int64_t>(1, report.answers));
  report.reward /= static_cast<double>(std::max<int64_t>(1, report.answers));
  report.kept_reward /= static_cast<double>(std::max<int64_t>(1, report.written));
  return report;
}

}  // namespace

void AnswerConfig::fields(Fields& f) {
  who.fields(f);
  f.add("prompts", prompts, "file of rows with \"prompt\" (text or messages): .jsonl or .json").required();
  f.add("out", out, "folder of the results").required();
  f.add("samples", samples, "answers drawn for each prompt").range(1, 4096);
  f.add("keep", keep, "which of them are written; best: the one worth most",
        {{"all", KeptAnswers::all}, {"best", KeptAnswers::best}});
  f.add("least_reward", least_reward, "answers worth less are left out; unset: none is");
  f.add("cut_off", cut_off, "write answers, too, that the limit of tokens ended");
  f.add("texts_as_messages", texts_as_messages, "prompts that are texts become a message of the user");
  f.add("max_tokens", how.max_tokens, "of an answer, at most").at_least(1);
  f.add("temperature", how.temperature, "at which answers are drawn; 0: the likeliest token each time")
      .range(0, 100);
  f.add("top_k", how.top_k, "draw from the k likeliest tokens; 0: from all").at_least(0);
  f.add("top_p", how.top_p, "draw from the fewest tokens with this share").range(0.01, 1);
  f.add("seed", how.seed, "same seed, same answers");
  f.group("rewards", rewards);
}

Result<void> AnswerConfig::finish(const Fields& loaded) {
  if (how.temperature == 0.0 && samples > 1) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("samples is {}, and at temperature 0 all of them would be the same", samples),
        "set temperature=1");
  }
  QUERN_CHECK(who.check(loaded));
  texts_as_messages = texts_as_messages || who.is_remote();
  has_least_reward = loaded.is_set("least_reward");
  if (rewards.any()) return rewards.check();
  for (const char* key : {"least_reward", "keep"}) {
    if (!loaded.is_set(key) || (std::string_view(key) == "keep" && keep == KeptAnswers::all)) continue;
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("{} is set at {}, and no answer is worth anything", key, loaded.find(key)->origin()),
        "set rewards.numeric.weight=1, or that of another reward");
  }
  return {};
}

Json summary_of(const AnswerReport& report) {
  Json json = counters_of(report);
  if (!report.rewarded) json.erase("reward"), json.erase("kept_reward");
  if (report.refused == 0) json.erase("first_refusal");
  json["complete"] = report.complete;
  return json;
}

Result<AnswerReport> answer(const AnswerConfig& config, bool resume, bool overwrite, Progress& progress) {
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_TRY(Answerer answerer, Answerer::create(config));
  const int64_t prompts = answerer.prompts().size();
  const Json settings = settings_of(config, answerer.prompts());
  const AnswerFiles files(config.out);
  QUERN_TRY(std::optional<Json> state, files.open(settings, resume, overwrite));
  AnswerReport report;
  const bool resumed = state.has_value();
  if (!resumed) state = Json{{"settings", settings}, {"done", counters_of(report)}};
  report = counters_from(state->at("done"));
  ProgressScope scope(progress, "answer", prompts, "prompts");
  QUERN_TRY(writing::ReplyJournal journal, writing::ReplyJournal::open(files.journal()));
  if (!resumed) QUERN_CHECK(files.add("", *state));
  while (report.prompts < prompts && !InterruptGuard::requested()) {
    AnswerReport after = report;
    const Result<std::string> rows = answerer.answer(report.prompts, journal, after);
    if (!rows.ok() && rows.error().code == ErrorCode::cancelled) break;
    if (!rows.ok()) {
      if (report.prompts == 0 && journal.size() == 0) files.parts().forget();
      return Error(rows.error());
    }
    report = after;
    (*state)["done"] = counters_of(report);
    QUERN_CHECK(files.add(*rows, *state));
    QUERN_CHECK(journal.clear());
    scope.update(report.prompts);
  }
  report.rewarded = config.rewards.any();
  report.complete = report.prompts == prompts;
  if (!report.complete) return averaged(report);
  QUERN_CHECK(files.finish());
  report = averaged(report);
  const Json record = {{"version", version()}, {"settings", settings}, {"result", summary_of(report)}};
  QUERN_CHECK(write_file_atomic(fs::path(config.out) / "answer.json", record.dump(2) + "\n"));
  return report;
}

}  // namespace quern::recipes
