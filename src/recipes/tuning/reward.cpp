// task: reward
#include "align/reward_trainee.h"
#include "align/reward_training.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

Result<Tuning> begin(const TuneConfig& config, const TunedModel& model, TuningData data) {
  QUERN_TRY(align::RewardTraining objective,
            align::RewardTraining::create(model.reward, std::move(data.train), std::move(data.validation),
                                          config.reward.loss, tuning_options(config, model)));
  std::unique_ptr<train::Trainee> trainee;
  if (model.adapter)
    trainee = std::make_unique<align::AdapterOfRewardModel>(
        model.reward, std::shared_ptr<nn::LoraAdapter>(std::shared_ptr<void>(), model.adapter.get()),
        config.adapter.settings);
  else
    trainee = std::make_unique<align::WholeRewardModel>(model.reward);
  return Tuning{std::move(trainee), std::make_unique<align::RewardTraining>(std::move(objective))};
}

}  // namespace

TuningTask reward_task() {
  return {.task = TrainTask::reward,
          .name = "reward",
          .summary = "a reward model: what answers are worth",
          .sections = {"reward."},
          .examples = data::TokenContent::preferences,
          .scores = true,
          .adapter_lr = 1e-4,
          .model_lr = 1e-5,
          .begin = begin};
}

}  // namespace quern::recipes
