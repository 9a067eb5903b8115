// kind: tune. What `quern train` does for any task of tuning: a model learns from examples, or from its own answers.
#include "recipes/tune.h"

#include "recipes/pretrain.h"
#include "recipes/stage.h"
#include "recipes/tuning/settings.h"

namespace quern::recipes {

namespace {

class TuneStage final : public Stage {
 public:
  void fields(Fields& f) override {
    add_task(f, config_.task, false);
    f.add("from", config_.from, "the model that is tuned").required();
    config_.fields(f);
    f.group("train", config_.train);
  }
  Result<void> finish(const Fields& loaded) override {
    QUERN_CHECK(refuse_settings_of_others(loaded, config_.task));
    QUERN_CHECK(refuse_settings(loaded, task_of(config_.task).name, {"train.sampling"}));
    return config_.finish(loaded);
  }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> paths = {config_.from, config_.examples};
    for (const std::string& path : {config_.rewards.json_schema.file, config_.rewards.model.path,
                                    config_.ppo.values, config_.adapter.from, config_.distill.teacher})
      if (!path.empty()) paths.push_back(path);
    return paths;
  }
  // OUT/model, or OUT/adapter, and what recipes/tune.h names.
  Result<nlohmann::ordered_json> run(const StageContext& context) override {
    config_.out = context.out.string();
    QUERN_TRY(const train::TrainSummary summary, tune(config_, context.training()));
    return figures_of(summary);
  }

 private:
  TuneConfig config_;
};

}  // namespace

StageKind tune_stage() {
  return {"tune", "a model, or an adapter, tuned on examples or its own answers", 1,
          [] { return std::unique_ptr<Stage>(std::make_unique<TuneStage>()); }};
}

}  // namespace quern::recipes
