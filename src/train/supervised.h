// Supervised tuning: answers to prompts, of examples whose masks say what is learnt.
#pragma once

#include <optional>

#include "data/supervised_sampler.h"
#include "model/decoder.h"
#include "train/objective.h"
#include "train/tuning.h"

namespace quern::train {

// The mean loss of all targets of a step. Cutting a step into other micro-batches, or packing it, changes nothing but the
// order of sums.
class SupervisedTuning final : public Objective {
 public:
  // The model must outlive it. Errors of check_examples.
  static Result<SupervisedTuning> create(const model::Decoder& model, data::SupervisedSampler train,
                                         std::optional<data::SupervisedSampler> validation,
                                         const TuningOptions& options);

  Result<StepLoss> accumulate(const StepRequest& request) override;
  // The mean loss of all targets of the validation set.
  Result<std::optional<Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return {{"examples", drawn_}}; }
  Result<void> restore(const nlohmann::json& state) override;
  void describe(Fingerprint& print) const override;

 private:
  SupervisedTuning(const model::Decoder& model, data::SupervisedSampler train,
                   std::optional<data::SupervisedSampler> validation, const TuningOptions& options);

  const model::Decoder* model_;
  data::SupervisedSampler train_;
  std::optional<data::SupervisedSampler> validation_;
  TuningOptions options_;
  int64_t drawn_ = 0;  // examples, through all epochs
};

}  // namespace quern::train
