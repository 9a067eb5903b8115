#include "align/reward_trainee.h"

#include "model/load.h"
#include "model/lora.h"
#include "model/save.h"

namespace quern::align {

namespace fs = std::filesystem;

void WholeRewardModel::set_compute_dtype(DType dtype) {
  reward_->set_compute_dtype(dtype);
  nn::set_compute_dtype(*reward_, dtype);
}

Result<void> WholeRewardModel::save(const fs::path& folder, bool final) const {
  return model::save_model(*reward_, folder, final ? reward_->config().dtype : DType::f32);
}

Result<void> WholeRewardModel::restore(const fs::path& folder) {
  QUERN_TRY(const model::RewardModel saved, model::load_reward_model(folder));
  return train::take_values(*reward_, saved, folder);
}

void AdapterOfRewardModel::Parameters::visit(const nn::Visitor& visitor, const std::string& prefix) {
  adapter->visit(visitor, prefix);
  visitor(prefix + std::string(model::kScoreName), *score);
}

AdapterOfRewardModel::AdapterOfRewardModel(std::shared_ptr<model::RewardModel> model,
                                           std::shared_ptr<nn::LoraAdapter> adapter,
                                           formats::PeftConfig settings, Use use)
    : reward_(std::move(model)), adapter_(std::move(adapter)), settings_(std::move(settings)), use_(use) {
  parameters_.adapter = adapter_.get();
  parameters_.score = &reward_->score();
  reward_->score().set_trainable(true);
  if (use_ == Use::everywhere) reward_->decoder().set_adapter(adapter_);
}

AdapterOfRewardModel::~AdapterOfRewardModel() {
  if (use_ == Use::everywhere) reward_->decoder().set_adapter(nullptr);
}

void AdapterOfRewardModel::set_compute_dtype(DType dtype) {
  reward_->set_compute_dtype(dtype);
  nn::set_compute_dtype(parameters_, dtype);
}

Result<void> AdapterOfRewardModel::save(const fs::path& folder, bool) const {
  return model::save_lora(*adapter_, *reward_, settings_, folder);
}

Result<void> AdapterOfRewardModel::restore(const fs::path& folder) {
  QUERN_TRY(const formats::PeftFolder files, formats::PeftFolder::open(folder));
  // A second score over the same decoder, whose values are taken over.
  model::RewardModel saved({std::shared_ptr<void>(), &reward_->decoder()});
  QUERN_TRY(nn::LoraAdapter adapter, model::load_lora(saved, files));
  Parameters values;
  values.adapter = &adapter;
  values.score = &saved.score();
  return train::take_values(parameters_, values, folder);
}

}  // namespace quern::align
