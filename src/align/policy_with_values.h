// What PPO trains: a model that answers, and the model of values beside it.
#pragma once

#include <memory>

#include "train/trainee.h"

namespace quern::align {

// Checkpoints hold both; the final files are those of the policy alone.
class PolicyWithValues final : public train::Trainee {
 public:
  PolicyWithValues(std::unique_ptr<train::Trainee> policy, std::unique_ptr<train::Trainee> values);

  nn::Module& parameters() override { return parameters_; }
  void set_compute_dtype(DType dtype) override;
  Result<void> save(const std::filesystem::path& folder, bool final) const override;
  Result<void> restore(const std::filesystem::path& folder) override;
  std::string_view folder() const override { return policy_->folder(); }

 private:
  // Named policy.* and values.*.
  struct Parameters final : nn::Module {
    nn::Module *policy = nullptr, *values = nullptr;
    void visit(const nn::Visitor& visitor, const std::string& prefix) override;
  };

  std::unique_ptr<train::Trainee> policy_, values_;
  Parameters parameters_;
};

}  // namespace quern::align
