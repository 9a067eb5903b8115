// ExampleObjective: learning from prepared examples, whatever a criterion makes of them.
#pragma once

#include <memory>
#include <optional>

#include "data/supervised_sampler.h"
#include "model/config.h"
#include "train/criterion.h"
#include "train/objective.h"
#include "train/tuning.h"

namespace quern::train {

// What is learnt, and what is held out.
struct Examples {
  data::SupervisedSampler train;
  std::optional<data::SupervisedSampler> validation = std::nullopt;
};

// Steps of TuningOptions::batch examples, in the order of the sampler, and all held-out examples in each evaluation.
// Beside the figures of the criterion, a step has "epoch", "examples" (drawn so far) and "padding" (a share of places).
class ExampleObjective final : public Objective {
 public:
  // For a model of this config, which the criterion learns. invalid_argument where examples are not those of the
  // criterion, or hold tokens that the model has not, or where rows are longer than it has positions.
  static Result<std::unique_ptr<ExampleObjective>> create(const model::ModelConfig& config, Examples examples,
                                                          const TuningOptions& options,
                                                          std::unique_ptr<Criterion> criterion);

  Result<StepLoss> accumulate(const StepRequest& request) override;
  Result<std::optional<Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return {{"examples", drawn_}}; }
  Result<void> restore(const nlohmann::json& state) override;
  void describe(Fingerprint& print) const override;

 private:
  ExampleObjective(Examples examples, const TuningOptions& options, std::unique_ptr<Criterion> criterion);

  Examples examples_;
  TuningOptions options_;
  std::unique_ptr<Criterion> criterion_;
  int64_t drawn_ = 0;  // examples, through all epochs; a pair counts as one
};

}  // namespace quern::train
