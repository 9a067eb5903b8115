// EncoderObjective: learning from examples that an encoder reads whole, whatever a criterion makes of them.
#pragma once

#include <memory>

#include "encoding/encoder_criterion.h"
#include "encoding/length_batches.h"

namespace quern::encoding {

struct EncoderTraining {
  int64_t batch = 16;       // examples of a step
  int64_t micro_batch = 0;  // of a pass; 0: all of a step
  bool checkpointing = false;
  bool by_length = true;  // batches of examples of similar lengths
  uint64_t seed = 0;      // of the order and of dropout
  bool dropout = true;
  uint64_t key = 0;  // of the examples
};

// Examples, order and dropout are functions of the step. Beside the figures of the criterion, a step has "epoch" and
// "padding" (a share of places).
class EncoderObjective final : public train::Objective {
 public:
  // `held_out` may be null. Precondition: `learnt` has examples, and what is held out has some.
  EncoderObjective(std::unique_ptr<EncoderCriterion> learnt, std::unique_ptr<EncoderCriterion> held_out,
                   const EncoderTraining& options);

  int64_t steps_per_epoch() const { return order_.per_epoch(); }
  Result<train::StepLoss> accumulate(const train::StepRequest& request) override;
  Result<std::optional<train::Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return nlohmann::json::object(); }
  Result<void> restore(const nlohmann::json&) override { return {}; }
  void describe(train::Fingerprint& print) const override;

 private:
  std::unique_ptr<EncoderCriterion> learnt_, held_out_;
  EncoderTraining options_;
  LengthBatches order_;
};

}  // namespace quern::encoding
