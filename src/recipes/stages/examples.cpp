// kind: examples. What `quern data prepare` does: rows become tokens, with what is learnt of them.
#include "recipes/prepare.h"
#include "recipes/stage.h"

namespace quern::recipes {

namespace {

class ExamplesStage final : public Stage {
 public:
  void fields(Fields& f) override { config_.choices_of_examples(f); }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> paths = config_.options.inputs;
    paths.push_back(config_.tokenizer);
    if (!config_.chat_template.empty()) paths.push_back(config_.chat_template);
    return paths;
  }
  // OUT/report.html shows lengths, and what is learnt.
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    config_.options.folder = context.out.string();
    QUERN_TRY(const data::PreparationReport report, prepare(config_, *context.progress));
    return nlohmann::ordered_json{{"examples", report.train.examples},
                                  {"held_out", report.validation.examples},
                                  {"tokens", report.train.tokens},
                                  {"learnt_tokens", report.train.learnt},
                                  {"left_out", report.refused_count()}};
  }

 private:
  PrepareConfig config_;
};

}  // namespace

StageKind examples_stage() {
  return {"examples", "examples to tune on, as quern data prepare makes them", 1,
          [] { return std::unique_ptr<Stage>(std::make_unique<ExamplesStage>()); }};
}

}  // namespace quern::recipes
