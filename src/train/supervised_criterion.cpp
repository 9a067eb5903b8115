#include "train/supervised_criterion.h"

#include <cmath>

#include "autograd/graph.h"

namespace quern::train {

void SupervisedCriterion::begin_step(const data::SupervisedSampler&, const data::SupervisedStep& step) {
  step_targets_ = static_cast<double>(step.targets);
  targets_ += step_targets_;
}

void SupervisedCriterion::add(const data::SupervisedBatch& batch, const nn::ForwardContext& context,
                              double scale) {
  // Weights are those of the mean over the step.
  const Tensor loss = model_->loss(model_->hidden(batch.tokens, context), batch.targets, batch.weights);
  sum_ += loss.item() * step_targets_;
  if (autograd::grad_enabled()) autograd::backward(loss, Tensor::full(Shape(), scale, loss.dtype()));
}

std::vector<Figure> SupervisedCriterion::evaluation_figures() const {
  return {{"perplexity", std::exp(loss())}};
}

}  // namespace quern::train
