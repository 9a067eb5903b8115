// Values of the tokens of answers, and where their gradients enter a model: what answers.h is for log-probabilities.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "data/supervised_sampler.h"
#include "model/reward_model.h"

namespace quern::align {

// A model of values over a decoder of its own, or beside one that answers, with an adapter of its own. Cheap to copy.
class ValueModel {
 public:
  explicit ValueModel(std::shared_ptr<const model::RewardModel> model,
                      std::shared_ptr<const nn::Adapter> adapter = nullptr);

  const model::RewardModel& model() const { return *model_; }
  // `context`, of a pass over the same tokens, with the adapter of the values in place of others.
  nn::ForwardContext context(nn::ForwardContext context) const;

 private:
  std::shared_ptr<const model::RewardModel> model_;
  std::shared_ptr<const nn::Adapter> adapter_;
  std::shared_ptr<const nn::AdapterRows> rows_;  // of the adapter; null: there is none
};

// Of the learnt tokens of each sequence of a batch: the value before each, of the state that it is predicted from.
class TokenValues {
 public:
  // Runs the model over the batch as `context` says. Recorded unless within NoGrad, by the same kernels in either case.
  TokenValues(const ValueModel& values, const data::SupervisedBatch& batch,
              const nn::ForwardContext& context);

  std::vector<double> of(size_t sequence) const;
  // Adds to the gradients of the model what the derivatives of a loss by the values, [i][j] by the j-th of sequence i, make
  // there. Once.
  void backward(std::span<const std::vector<double>> d_values) const;

 private:
  const data::SupervisedBatch& batch_;
  Tensor values_;  // f32 [B * T]
};

}  // namespace quern::align
