#include "align/distillation_criterion.h"

#include <cmath>

#include "autograd/graph.h"
#include "autograd/training_kernels.h"
#include "base/hash.h"
#include "ops/reshape.h"

namespace quern::align {

namespace {

// States [B, T, C] as rows [B T, C].
Tensor as_rows(const Tensor& states) { return ops::reshape(states, {states.shape().rows(), states.dim(-1)}); }

// Another teacher has another one.
std::string key_of(const model::Decoder& model) {
  Hasher hasher;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    const Tensor& values = parameter.master();
    hasher.add(name).add(
        std::span(static_cast<const std::byte*>(values.raw()), static_cast<size_t>(values.bytes())));
  });
  return hasher.result().hex();
}

double sum_of(const Tensor& rows) {
  double sum = 0.0;
  for (const float value : rows.span<float>()) sum += double{value};
  return sum;
}

}  // namespace

DistillationCriterion::DistillationCriterion(const model::Decoder& student, Reference teacher,
                                             const ops::DistillationOptions& options)
    : student_(&student),
      teacher_(std::move(teacher)),
      options_(options),
      teacher_key_(key_of(teacher_.model())) {}

void DistillationCriterion::begin_step(const data::SupervisedSampler&, const data::SupervisedStep& step) {
  step_targets_ = static_cast<double>(step.targets);
  sums_.targets += step_targets_;
}

void DistillationCriterion::add(const data::SupervisedBatch& batch, const nn::ForwardContext& context,
                                double scale) {
  // The same kernels for both, and for evaluations.
  const autograd::TrainingKernels kernels;
  const nn::ForwardContext of_teacher = teacher_.context(batch);
  Tensor teacher_states;
  {
    const autograd::NoGrad no_grad;
    teacher_states = teacher_.model().hidden(batch.tokens, of_teacher);
  }
  const int64_t rows = batch.targets.numel();
  ops::DistillationOptions options = options_;
  options.weights = batch.weights.reshaped({rows});  // those of the mean over the step
  const ops::Distilled found = ops::linear_distillation(
      as_rows(student_->hidden(batch.tokens, context)), student_->output_head(context.adapters),
      as_rows(teacher_states), teacher_.model().output_head(of_teacher.adapters),
      batch.targets.reshaped({rows}), options);
  sums_.loss += found.loss.item() * step_targets_;
  sums_.hard += sum_of(found.hard);
  sums_.divergence += sum_of(found.divergence);
  for (const int32_t agrees : found.agrees.span<int32_t>()) sums_.agrees += agrees;
  if (autograd::grad_enabled())
    autograd::backward(found.loss, Tensor::full(Shape(), scale, found.loss.dtype()));
}

std::vector<train::Figure> DistillationCriterion::figures() const {
  return {{"hard_loss", sums_.hard / sums_.targets},
          {"divergence", sums_.divergence / sums_.targets},
          {"agreement", sums_.agrees / sums_.targets}};
}

std::vector<train::Figure> DistillationCriterion::evaluation_figures() const {
  std::vector<train::Figure> all = figures();
  all.push_back({"perplexity", std::exp(sums_.hard / sums_.targets)});
  return all;
}

void DistillationCriterion::describe(train::Fingerprint& print) const {
  print["distill.teacher"] = teacher_key_;
  print["distill"] = {options_.share, options_.temperature, static_cast<int>(options_.divergence),
                      options_.beta};
}

}  // namespace quern::align
