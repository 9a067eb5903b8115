// Pretraining: the next token of plain text, and of conversations where only what the assistant says is learnt.
#pragma once

#include "data/sampler.h"
#include "data/token_dataset.h"
#include "model/decoder.h"
#include "train/objective.h"
#include "train/options.h"

namespace quern::train {

class Pretraining final : public Objective {
 public:
  // `options` must be finished. The validation set may be empty. The model must outlive it. invalid_argument where a corpus holds
  // tokens that the model has not, or rows are longer than it has positions.
  static Result<Pretraining> create(const model::Decoder& model, data::TokenDataset train,
                                    data::TokenDataset validation, TrainOptions options);

  Result<StepLoss> accumulate(const StepRequest& request) override;
  Result<std::optional<Evaluation>> evaluate(int64_t step) override;
  nlohmann::json state() const override { return sampler_.state(); }
  Result<void> restore(const nlohmann::json& state) override;
  void describe(Fingerprint& print) const override;

 private:
  Pretraining(const model::Decoder& model, data::BatchSampler sampler, data::TokenDataset train,
              data::TokenDataset validation, TrainOptions options);

  const model::Decoder* model_;
  data::BatchSampler sampler_;
  data::TokenDataset train_, validation_;
  TrainOptions options_;
};

}  // namespace quern::train
