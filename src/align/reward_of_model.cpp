#include "align/reward_of_model.h"

namespace quern::align {

namespace {

class RewardOfModel final : public Reward {
 public:
  explicit RewardOfModel(infer::LoadedReward model) : model_(std::move(model)) {}

  Result<std::vector<double>> score(std::span<const Answered> answers) override {
    std::vector<double> scores;
    for (const Answered& answer : answers) {
      std::vector<int32_t> text = answer.prompt->tokens;
      text.insert(text.end(), answer.drawn.begin(), answer.drawn.end());
      QUERN_TRY(const double worth, infer::reward_of(model_, text));
      scores.push_back(worth);
    }
    return scores;
  }

 private:
  infer::LoadedReward model_;
};

}  // namespace

std::unique_ptr<Reward> reward_of_model(infer::LoadedReward model) {
  return std::make_unique<RewardOfModel>(std::move(model));
}

}  // namespace quern::align
