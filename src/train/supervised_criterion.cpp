#include "train/supervised_criterion.h"

#include <cmath>

#include "autograd/graph.h"
#include "autograd/training_kernels.h"
#include "ops/linear_cross_entropy.h"
#include "ops/reshape.h"

namespace quern::train {

void SupervisedCriterion::begin_step(const data::SupervisedSampler&, const data::SupervisedStep& step) {
  step_targets_ = static_cast<double>(step.targets);
  targets_ += step_targets_;
}

void SupervisedCriterion::add(const data::SupervisedBatch& batch, const nn::ForwardContext& context,
                              double scale) {
  // Evaluations and what nothing is learnt of (the first maps of a quantised model) round as the rest does.
  const autograd::TrainingKernels kernels;
  const Tensor states = model_->hidden(batch.tokens, context);
  const double smoothing = autograd::grad_enabled() ? label_smoothing_ : 0.0;
  // Weights are those of the mean over the step.
  const Tensor loss = smoothing > 0.0 ? smoothed_loss(states, batch, smoothing)
                                      : model_->loss(states, batch.targets, batch.weights);
  sum_ += loss.item() * step_targets_;
  if (autograd::grad_enabled()) autograd::backward(loss, Tensor::full(Shape(), scale, loss.dtype()));
}

Tensor SupervisedCriterion::smoothed_loss(const Tensor& states, const data::SupervisedBatch& batch,
                                          double smoothing) const {
  const int64_t rows = batch.targets.numel();
  const ops::OutputHead head = model_->output_head();
  return ops::linear_cross_entropy(ops::reshape(states, {rows, states.dim(-1)}), head.weight,
                                   batch.targets.reshaped({rows}),
                                   {.weights = batch.weights.reshaped({rows}),
                                    .bias = head.bias,
                                    .softcap = head.softcap,
                                    .replaced = head.replaced,
                                    .label_smoothing = smoothing});
}

void SupervisedCriterion::describe(Fingerprint& print) const {
  if (label_smoothing_ > 0.0) print["label_smoothing"] = label_smoothing_;
}

std::vector<Figure> SupervisedCriterion::evaluation_figures() const {
  return {{"perplexity", std::exp(loss())}};
}

}  // namespace quern::train
