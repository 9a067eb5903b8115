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
#include "infer/loaded_adapter.h"
#include "infer/loaded_model.h"

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

  // The state of the run to go on with; nothing: it starts. conflict where there is one, and it is not to go on.
  Result<std::optional<Json>> open(const Json& settings, bool resume, bool overwrite) const {
    std::error_code ignored;
    const bool done = fs::exists(rows_, ignored), begun = fs::exists(state_, ignored);
    if (overwrite || (!done && !begun)) {
      for (const fs::path& path : {rows_, part_, state_}) fs::remove(path, ignored);
      return std::optional<Json>();
    }
    if (done || !resume) {
      return make_error(ErrorCode::conflict, fmt::format("{} exists", (done ? rows_ : state_).string()),
                        done ? "--overwrite starts afresh" : "--resume goes on, --overwrite starts afresh");
    }
    QUERN_TRY(const std::string text, read_file(state_));
    QUERN_TRY(Json state, parse_ordered_json(text, state_.string()));
    if (!state.contains("settings") || state["settings"] != settings) {
      return make_error(
          ErrorCode::conflict,
          fmt::format("{} belongs to a run with other settings, or other prompts", state_.string()),
          "go back to those, or start afresh with --overwrite");
    }
    fs::resize_file(part_, state.at("bytes").get<uint64_t>(), ignored);
    return std::optional(std::move(state));
  }

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
  return {{"prompts", r.prompts}, {"answers", r.answers}, {"written", r.written},
          {"cut_off", r.cut_off}, {"empty", r.empty},     {"unanswered", r.unanswered},
          {"tokens", r.tokens},   {"reward", r.reward},   {"kept_reward", r.kept_reward}};
}

// Counters as they are while a run goes on: sums where the report has averages.
AnswerReport counters_from(const Json& json) {
  AnswerReport r;
  r.prompts = json.at("prompts"), r.answers = json.at("answers"), r.written = json.at("written");
  r.cut_off = json.at("cut_off"), r.empty = json.at("empty"), r.unanswered = json.at("unanswered"),
  r.tokens = json.at("tokens");
  r.reward = json.at("reward"), r.kept_reward = json.at("kept_reward");
  return r;
}

// The prompt and its answer, in the form that examples have.
Json row_of(const align::Prompt& prompt, const std::string& text, std::optional<double> reward,
            bool texts_as_messages) {
  const auto of = [&](const char* name) -> const Json* {
    const auto found = prompt.row.find(name);
    return found == prompt.row.end() || found->is_null() ? nullptr : &*found;
  };
  const Json* asked = nullptr;
  for (const char* name : {"prompt", "question", "messages"})
    if (asked == nullptr) asked = of(name);
  Json row;
  if (asked->is_string() && !texts_as_messages) {
    row = {{"prompt", *asked}, {"completion", text}};
  } else {
    row["prompt"] = asked->is_string() ? Json::array({{{"role", "user"}, {"content", *asked}}}) : *asked;
    row["completion"] = Json::array({{{"role", "assistant"}, {"content", text}}});
  }
  if (const Json* tools = of("tools")) row["tools"] = *tools;
  if (reward) row["reward"] = *reward;
  return row;
}

class Answerer {
 public:
  static Result<Answerer> create(const AnswerConfig& config) {
    QUERN_TRY(infer::LoadedModel opened, infer::open_model(config.model, config.dtype));
    const auto loaded = std::make_shared<infer::LoadedModel>(std::move(opened));
    if (!config.adapter.empty()) {
      QUERN_TRY(const auto adapter, infer::open_adapter("adapter", loaded->model, config.adapter));
      loaded->model.set_adapter({adapter, adapter->weights.get()});
    }
    QUERN_TRY(
        align::PromptSet prompts,
        align::PromptSet::read(config.prompts, *loaded,
                               {.texts_as_messages = config.texts_as_messages,
                                .max_tokens = loaded->model.config().max_positions - config.how.max_tokens,
                                .references = config.rewards.needs_references()}));
    align::Rewards rewards;
    if (config.rewards.any()) {
      QUERN_TRY(rewards, config.rewards.open(*loaded, config.dtype));
    }
    QUERN_TRY(align::Rollouts rollouts, align::Rollouts::create(loaded, config.how, prompts.longest()));
    return Answerer(config, std::move(prompts), std::move(rewards), std::move(rollouts));
  }

  const align::PromptSet& prompts() const { return prompts_; }

  // Answers the block of prompts that begins at `begin`: their rows, and what is counted of them.
  Result<std::string> answer(int64_t begin, AnswerReport& report) {
    const int64_t end = std::min(begin + kBlock, prompts_.size());
    std::vector<std::span<const int32_t>> asked;
    for (int64_t i = begin; i < end; ++i) asked.emplace_back(prompts_[i].tokens);
    QUERN_TRY(const std::vector<align::Rollout> answers,
              config_->how.temperature == 0.0
                  ? rollouts_.greedy(asked)
                  : rollouts_.sample(asked, config_->samples, static_cast<uint64_t>(begin / kBlock)));
    std::vector<align::Answered> judged;
    for (size_t i = 0; i < answers.size(); ++i) {
      const align::Rollout& a = answers[i];
      judged.push_back({&prompts_[begin + static_cast<int64_t>(i) / config_->samples], a.text,
                        static_cast<int64_t>(a.tokens.size()) - (a.ended ? 1 : 0), a.ended, a.tokens});
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
        rows += row_of(*judged[i].prompt, std::string(judged[i].text), reward, config_->texts_as_messages)
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
      report.cut_off += judged[i].ended ? 0 : 1;
      report.empty += judged[i].text.empty() ? 1 : 0;
      report.tokens += static_cast<double>(judged[i].tokens);
      if (!worth.empty()) report.reward += worth[i];
    }
    return rows;
  }

 private:
  Answerer(const AnswerConfig& config, align::PromptSet prompts, align::Rewards rewards,
           align::Rollouts rollouts)
      : config_(&config),
        prompts_(std::move(prompts)),
        rewards_(std::move(rewards)),
        rollouts_(std::move(rollouts)) {}

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
  align::Rollouts rollouts_;
};

// What makes other answers.
Json settings_of(AnswerConfig config, const align::PromptSet& prompts) {
  Json settings = fields_of(config).to_json();
  settings.erase("out");
  settings.erase("at_once");
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
  f.add("model", model, "model folder, GGUF file, or a name in the store").required();
  f.add("adapter", adapter, "PEFT folder that goes with the model");
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
  f.add("at_once", how.at_once, "answers given at a time: memory of the cache, not results").range(1, 4096);
  f.add("dtype", dtype, "of activations", {{"f32", DType::f32}, {"bf16", DType::bf16}});
  f.group("rewards", rewards);
}

Result<void> AnswerConfig::finish(const Fields& loaded) {
  if (how.temperature == 0.0 && samples > 1) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("samples is {}, and at temperature 0 all of them would be the same", samples),
        "set temperature=1");
  }
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
  if (state) report = counters_from(state->at("done"));
  if (!state) state = Json{{"settings", settings}};
  ProgressScope scope(progress, "answer", prompts, "prompts");
  while (report.prompts < prompts && !InterruptGuard::requested()) {
    QUERN_TRY(const std::string rows, answerer.answer(report.prompts, report));
    (*state)["done"] = counters_of(report);
    QUERN_CHECK(files.add(rows, *state));
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
