// kind: pretrain. A model trained on text; its results are OUT/model and what recipes/pretrain.h names.
#include "recipes/pretrain.h"

#include "recipes/stage.h"

namespace quern::recipes {

namespace {

class PretrainStage final : public Stage {
 public:
  void fields(Fields& f) override {
    config_.out = ".";  // replaced by the stage's folder
    f.add("tokenizer", config_.tokenizer, "folder with tokenizer.json").required();
    f.add("from", config_.from, "model folder to go on training; empty: a new model");
    f.group("model", config_.model);
    f.group("data", config_.data);
    f.group("train", config_.train);
    f.group("sample", config_.sample);
  }
  Result<void> finish(const Fields& loaded) override {
    QUERN_CHECK(config_.check_required(loaded));
    return config_.finish(loaded);
  }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> paths = config_.data.inputs;
    const auto& validation = config_.data.validation_inputs;
    paths.insert(paths.end(), validation.begin(), validation.end());
    paths.push_back(config_.tokenizer);
    if (!config_.from.empty()) paths.push_back(config_.from);
    return paths;
  }
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    config_.out = context.out.string();
    QUERN_TRY(const train::TrainSummary summary, pretrain(config_, context.training()));
    return figures_of(summary);
  }

 private:
  PretrainConfig config_;
};

}  // namespace

StageKind pretrain_stage() {
  return {"pretrain", "a model trained on text", 2,
          [] { return std::unique_ptr<Stage>(std::make_unique<PretrainStage>()); }};
}

}  // namespace quern::recipes
