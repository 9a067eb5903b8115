// What a run of a reward model trains: the model with its score, or an adapter and the score beside a decoder that stays as
// it is.
#pragma once

#include <memory>

#include "model/reward_model.h"
#include "nn/lora.h"
#include "train/trainee.h"

namespace quern::align {

class WholeRewardModel final : public train::Trainee {
 public:
  explicit WholeRewardModel(std::shared_ptr<model::RewardModel> model) : reward_(std::move(model)) {}

  nn::Module& parameters() override { return *reward_; }
  void set_compute_dtype(DType dtype) override;
  Result<void> save(const std::filesystem::path& folder, bool final) const override;
  Result<void> restore(const std::filesystem::path& folder) override;
  std::string_view folder() const override { return "model"; }

 private:
  std::shared_ptr<model::RewardModel> reward_;
};

class AdapterOfRewardModel final : public train::Trainee {
 public:
  // Which passes of the decoder go through the adapter: those whose context names none, or only those that name it, where
  // the decoder has another use.
  enum class Use { everywhere, where_named };

  // `settings` are written beside the weights.
  AdapterOfRewardModel(std::shared_ptr<model::RewardModel> model, std::shared_ptr<nn::LoraAdapter> adapter,
                       formats::PeftConfig settings, Use use = Use::everywhere);
  ~AdapterOfRewardModel() override;

  nn::Module& parameters() override { return parameters_; }
  void set_compute_dtype(DType dtype) override;
  Result<void> save(const std::filesystem::path& folder, bool final) const override;
  Result<void> restore(const std::filesystem::path& folder) override;
  std::string_view folder() const override { return "adapter"; }

 private:
  struct Parameters final : nn::Module {
    nn::LoraAdapter* adapter = nullptr;
    nn::Parameter* score = nullptr;
    void visit(const nn::Visitor& visitor, const std::string& prefix) override;
  };

  std::shared_ptr<model::RewardModel> reward_;
  std::shared_ptr<nn::LoraAdapter> adapter_;
  Parameters parameters_;
  formats::PeftConfig settings_;
  Use use_;
};

}  // namespace quern::align
