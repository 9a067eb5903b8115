// kind: samples. Texts a model writes for given prompts.
#include "base/file.h"
#include "base/interrupt.h"
#include "infer/completion.h"
#include "infer/loaded_model.h"
#include "recipes/stage.h"

namespace quern::recipes {

namespace {

class SamplesStage final : public Stage {
 public:
  void fields(Fields& f) override {
    f.add("model", model_, "model folder").required();
    f.add("prompts", prompts_, "texts to go on from; special tokens are read as such").required();
    options_.fields(f);
  }
  std::vector<std::string> inputs() const override { return {model_}; }

  // OUT/samples.jsonl: rows of prompt and text.
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    QUERN_TRY(infer::LoadedModel loaded, infer::open_model(model_, DType::f32));
    infer::Session session(loaded.model, 0);
    options_.end_tokens = loaded.end_tokens;
    std::string rows;
    nlohmann::ordered_json samples = nlohmann::ordered_json::array();
    for (const std::string& prompt : prompts_) {
      QUERN_TRY(const infer::Completion completion,
                infer::complete(session, loaded.tokenizer, infer::encode_prompt(loaded.tokenizer, prompt),
                                options_, [](std::string_view) {
                                  throw_if_interrupted();
                                  return true;
                                }));
      const nlohmann::ordered_json row = {{"prompt", prompt}, {"text", completion.text}};
      rows += row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
      samples.push_back(row);
    }
    QUERN_CHECK(write_file_atomic(context.out / "samples.jsonl", rows));
    return nlohmann::ordered_json{{"samples", samples}};
  }

 private:
  std::string model_;
  std::vector<std::string> prompts_;
  infer::CompletionOptions options_;
};

}  // namespace

StageKind samples_stage() {
  return {"samples", "texts a model writes for given prompts", 1,
          [] { return std::unique_ptr<Stage>(std::make_unique<SamplesStage>()); }};
}

}  // namespace quern::recipes
