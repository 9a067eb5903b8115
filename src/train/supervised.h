// Supervised tuning: answers to prompts, of examples whose masks say what is learnt.
#pragma once

#include <optional>

#include "data/supervised_sampler.h"
#include "model/decoder.h"
#include "train/objective.h"

namespace quern::train {

struct SupervisedTraining {
  int64_t batch = 16;  // examples of a step
  bool checkpointing = false;
  uint64_t seed = 0;     // of dropout
  double dropout = 0.0;  // whether any is on: of the model or its adapter
};

// The mean loss of all targets of a step. Cutting a step into other micro-batches, or packing it, changes nothing but the order of sums.
class SupervisedTuning final : public Objective {
 public:
  // The model must outlive it. invalid_argument where examples hold tokens that the model has not, or are longer than it has positions.
  static Result<SupervisedTuning> create(const model::Decoder& model, data::SupervisedSampler train,
                                         std::optional<data::SupervisedSampler> validation,
                                         const SupervisedTraining& options);

  Result<StepLoss> accumulate(const StepRequest& request) override;
  // The mean loss of all targets of the validation set.
  Result<std::optional<Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return {{"examples", drawn_}}; }
  Result<void> restore(const nlohmann::json& state) override;
  void describe(Fingerprint& print) const override;

 private:
  SupervisedTuning(const model::Decoder& model, data::SupervisedSampler train,
                   std::optional<data::SupervisedSampler> validation, const SupervisedTraining& options);

  const model::Decoder* model_;
  data::SupervisedSampler train_;
  std::optional<data::SupervisedSampler> validation_;
  SupervisedTraining options_;
  int64_t drawn_ = 0;  // examples, through all epochs
};

}  // namespace quern::train
