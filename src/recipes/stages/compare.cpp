// kind: compare. Several models on the same held-out questions and sums of the synthetic world (data/synth/lessons.h): how many
// they answer exactly, and how often the judge prefers their answers to those of one of them.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "align/checks.h"
#include "base/file.h"
#include "data/synth/lessons.h"
#include "data/synth/manners.h"
#include "eval/given_answers.h"
#include "recipes/stage.h"

namespace quern::recipes {

namespace {

using Json = nlohmann::ordered_json;
using data::synth::Question;

// What one model answered.
struct Compared {
  std::string name, folder;
  eval::GivenAnswers questions = {}, sums = {};
};

Json as_json(const eval::Estimate& estimate) {
  return {{"value", estimate.value}, {"error", estimate.error}};
}

class CompareStage final : public Stage {
 public:
  void fields(Fields& f) override {
    f.add("models", models_, "NAME=FOLDER each").required();
    f.add("against", against_, "the model whose answers the others' are compared with").required();
    f.add("lessons", lessons_, "folder of a stage of the kind lessons").required();
    f.add("limit", limit_, "ask only the first so many questions and sums; 0: all").at_least(0);
    f.add("max_tokens", options_.max_tokens, "longest answer").at_least(1);
    f.add("draws", options_.draws, "answers drawn for each prompt").at_least(1);
    f.add("temperature", options_.temperature, "at which they are drawn").range(0.01, 100);
    f.add("seed", options_.seed, "same seed, same answers");
  }
  Result<void> finish(const Fields&) override {
    for (const std::string& model : models_) {
      const size_t equals = model.find('=');
      if (equals == 0 || equals == std::string::npos || equals + 1 == model.size())
        return make_error(ErrorCode::invalid_argument,
                          fmt::format("models: expected NAME=FOLDER, got '{}'", model));
      compared_.push_back({.name = model.substr(0, equals), .folder = model.substr(equals + 1)});
    }
    if (std::ranges::find(compared_, against_, &Compared::name) != compared_.end()) return {};
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("against: there is no model '{}' among models", against_));
  }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> paths = {lessons_};
    for (const Compared& model : compared_) paths.push_back(model.folder);
    return paths;
  }

  // OUT/answers.jsonl has every prompt with the expected answer and the likeliest of each model.
  Result<Json> run(const StageContext& context) override {
    const std::filesystem::path folder(lessons_);
    for (Compared& model : compared_) {
      QUERN_TRY(infer::LoadedModel opened, infer::open_model(model.folder, DType::f32));
      const auto loaded = std::make_shared<const infer::LoadedModel>(std::move(opened));
      QUERN_TRY(const align::PromptSet questions, read(folder / "questions.jsonl", *loaded));
      QUERN_TRY(const align::PromptSet sums, read(folder / "sums" / "validation.jsonl", *loaded));
      QUERN_CHECK(understand(questions, sums));
      QUERN_TRY(model.questions,
                eval::give_answers(loaded, questions, options_, *context.progress, model.name));
      QUERN_TRY(model.sums, eval::give_answers(loaded, sums, options_, *context.progress, model.name));
    }
    QUERN_CHECK(write_file_atomic(context.out / "answers.jsonl", answers()));
    Json figures = {{"questions", questions_.size()},
                    {"sums", sums_.size()},
                    {"draws", options_.draws},
                    {"against", against_},
                    {"models", Json::array()}};
    for (const Compared& model : compared_) figures["models"].push_back(figures_of(model));
    return figures;
  }

 private:
  struct AskedSum {
    std::string prompt, value;
  };

  Result<align::PromptSet> read(const std::filesystem::path& path, const infer::LoadedModel& model) const {
    QUERN_TRY(align::PromptSet all,
              align::PromptSet::read(path, model,
                                     {.texts_as_messages = true,
                                      .max_tokens = model.model.config().max_positions - options_.max_tokens,
                                      .references = true}));
    if (limit_ == 0 || limit_ >= all.size()) return all;
    std::vector<align::Prompt> first;
    for (int64_t i = 0; i < limit_; ++i) first.push_back(all[i]);
    return align::PromptSet(std::move(first));
  }

  // What the judge needs of the rows.
  Result<void> understand(const align::PromptSet& questions, const align::PromptSet& sums) {
    questions_.clear(), sums_.clear();
    for (int64_t i = 0; i < questions.size(); ++i) {
      std::optional<Question> question = data::synth::read_question(questions[i].row);
      if (!question)
        return make_error(ErrorCode::corrupt,
                          fmt::format("{}: question {} lacks prompt, answer or kind", lessons_, i + 1),
                          "make them with a stage of the kind lessons");
      questions_.push_back(*std::move(question));
    }
    for (int64_t i = 0; i < sums.size(); ++i)
      sums_.push_back({sums[i].row.value("prompt", std::string()), sums[i].reference});
    return {};
  }

  bool right(size_t sum, std::string_view answer) const {
    return align::number_in(answer) == align::number_in(sums_[sum].value);
  }

  Json figures_of(const Compared& model) const {
    eval::RunningMean exact, sums, drawn_sums;
    for (size_t i = 0; i < questions_.size(); ++i)
      exact.add(data::synth::worth(questions_[i], model.questions.likeliest[i]) > 0.0 ? 1.0 : 0.0);
    for (size_t i = 0; i < sums_.size(); ++i) {
      sums.add(right(i, model.sums.likeliest[i]) ? 1.0 : 0.0);
      eval::RunningMean draws;
      for (const std::string& answer : model.sums.drawn[i]) draws.add(right(i, answer) ? 1.0 : 0.0);
      drawn_sums.add(draws.estimate().value);
    }
    const Compared& other = *std::ranges::find(compared_, against_, &Compared::name);
    const eval::Estimate wins = eval::win_rate(model.questions, other.questions,
                                               [&](size_t i, std::string_view a, std::string_view b) {
                                                 return data::synth::preference(questions_[i], a, b);
                                               });
    return {{"model", model.name},
            {"exact", as_json(exact.estimate())},
            {"wins", as_json(wins)},
            {"sums", as_json(sums.estimate())},
            {"drawn_sums", as_json(drawn_sums.estimate())},
            {"answer_tokens", model.questions.tokens},
            {"cut_off", model.questions.cut_off}};
  }

  std::string answers() const {
    std::string rows;
    const auto add = [&](const std::string& kind, const std::string& prompt, const std::string& expected,
                         const auto& answer_of) {
      Json row = {{"kind", kind}, {"prompt", prompt}, {"expected", expected}, {"answers", Json::object()}};
      for (const Compared& model : compared_) row["answers"][model.name] = answer_of(model);
      rows += row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    };
    for (size_t i = 0; i < questions_.size(); ++i)
      add(questions_[i].kind, questions_[i].prompt, questions_[i].answer,
          [&](const Compared& model) { return model.questions.likeliest[i]; });
    for (size_t i = 0; i < sums_.size(); ++i)
      add("digits", sums_[i].prompt, sums_[i].value,
          [&](const Compared& model) { return model.sums.likeliest[i]; });
    return rows;
  }

  std::vector<std::string> models_;
  std::string against_;
  std::string lessons_;
  int64_t limit_ = 0;
  eval::GiveOptions options_;
  std::vector<Compared> compared_;
  std::vector<Question> questions_;
  std::vector<AskedSum> sums_;
};

}  // namespace

StageKind compare_stage() {
  return {"compare", "exact answers and preferred answers of several models, side by side", 1,
          [] { return std::unique_ptr<Stage>(std::make_unique<CompareStage>()); }};
}

}  // namespace quern::recipes
