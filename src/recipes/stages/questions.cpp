// kind: questions. Asks a model held-out questions (data/synth) and counts the exact answers.
#include <fmt/format.h>

#include <map>

#include "base/file.h"
#include "base/interrupt.h"
#include "data/synth/corpus.h"
#include "infer/completion.h"
#include "infer/loaded_model.h"
#include "recipes/stage.h"

namespace quern::recipes {

namespace {

struct Tally {
  int64_t asked = 0;
  int64_t right = 0;
  double share() const { return asked == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(asked); }
};

class QuestionsStage final : public Stage {
 public:
  void fields(Fields& f) override {
    f.add("model", model_, "model folder").required();
    f.add("questions", questions_, "questions.jsonl: rows of prompt, answer and kind").required();
    f.add("limit", limit_, "ask only the first so many; 0: all").at_least(0);
    f.add("max_tokens", max_tokens_, "longest answer").at_least(1);
  }
  std::vector<std::string> inputs() const override { return {model_, questions_}; }

  // OUT/answers.jsonl has every question with the expected and the given answer.
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    QUERN_TRY(infer::LoadedModel loaded, infer::open_model(model_, DType::f32));
    QUERN_TRY(std::vector<data::synth::Question> questions, data::synth::read_questions(questions_));
    if (limit_ > 0 && static_cast<size_t>(limit_) < questions.size())
      questions.resize(static_cast<size_t>(limit_));
    infer::Session session(loaded.model, 0);
    std::map<std::string, Tally> kinds;
    Tally all;
    std::string rows;
    ProgressScope progress(*context.progress, "questions", static_cast<int64_t>(questions.size()),
                           "questions");
    for (const data::synth::Question& question : questions) {
      QUERN_TRY(const std::string answer, ask(loaded, session, question.prompt));
      const bool right = data::synth::check_answer(question.answer, answer);
      for (Tally* tally : {&all, &kinds[question.kind]}) {
        ++tally->asked;
        tally->right += right ? 1 : 0;
      }
      rows += nlohmann::ordered_json{{"kind", question.kind},
                                     {"prompt", question.prompt},
                                     {"expected", question.answer},
                                     {"answer", answer},
                                     {"right", right}}
                  .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
              "\n";
      progress.update(all.asked, {{"exact", all.share()}});
      throw_if_interrupted();
    }
    QUERN_CHECK(write_file_atomic(context.out / "answers.jsonl", rows));
    nlohmann::ordered_json figures = {{"questions", all.asked}, {"right", all.right}, {"exact", all.share()}};
    for (const auto& [kind, tally] : kinds)
      figures["by_kind"][kind] = {{"asked", tally.asked}, {"exact", tally.share()}};
    return figures;
  }

 private:
  Result<std::string> ask(const infer::LoadedModel& loaded, infer::Session& session,
                          const std::string& prompt) const {
    text::ChatRequest request;
    request.messages.push_back({{"role", "user"}, {"content", prompt}});
    request.add_generation_prompt = true;
    QUERN_TRY(const text::ChatPrompt rendered,
              text::render_prompt(loaded.templates, request, loaded.tokenizer));
    infer::CompletionOptions options;
    options.sampling.temperature = 0.0;
    options.max_tokens = max_tokens_;
    options.end_tokens = loaded.end_tokens;
    QUERN_TRY(const infer::Completion completion,
              infer::complete(session, loaded.tokenizer, infer::encode_chat(loaded, rendered), options));
    return completion.text;
  }

  std::string model_;
  std::string questions_;
  int64_t limit_ = 0;
  int64_t max_tokens_ = 32;
};

}  // namespace

StageKind questions_stage() {
  return {"questions", "exact answers of a model to held-out questions", 2,
          [] { return std::unique_ptr<Stage>(std::make_unique<QuestionsStage>()); }};
}

}  // namespace quern::recipes
