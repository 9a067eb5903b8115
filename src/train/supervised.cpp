#include "train/supervised.h"

#include <fmt/format.h>

#include <cmath>

#include "autograd/graph.h"

namespace quern::train {

Result<SupervisedTuning> SupervisedTuning::create(const model::Decoder& model, data::SupervisedSampler train,
                                                  std::optional<data::SupervisedSampler> validation,
                                                  const TuningOptions& options) {
  QUERN_CHECK(check_examples(model.config(), train));
  if (validation) QUERN_CHECK(check_examples(model.config(), *validation));
  return SupervisedTuning(model, std::move(train), std::move(validation), options);
}

SupervisedTuning::SupervisedTuning(const model::Decoder& model, data::SupervisedSampler train,
                                   std::optional<data::SupervisedSampler> validation,
                                   const TuningOptions& options)
    : model_(&model), train_(std::move(train)), validation_(std::move(validation)), options_(options) {}

Result<StepLoss> SupervisedTuning::accumulate(const StepRequest& request) {
  const data::SupervisedStep step = train_.step(drawn_, options_.batch);
  StepLoss result{.targets = step.targets, .tokens = step.tokens};
  for (const data::SupervisedBatch& batch : step.micro_batches) {
    const nn::ForwardContext context =
        training_context(batch, options_, request.micro_batches + result.micro_batches++);
    const Tensor loss = model_->loss(model_->hidden(batch.tokens, context), batch.targets, batch.weights);
    result.loss += loss.item();
    autograd::backward(loss, Tensor::full(Shape(), request.scale, loss.dtype()));
  }
  drawn_ += step.examples;
  result.figures = figures_of_step(step, drawn_, train_.example_count());
  return result;
}

Result<std::optional<Evaluation>> SupervisedTuning::evaluate(int64_t) {
  if (!validation_) return std::optional<Evaluation>();
  const autograd::NoGrad no_grad;
  Evaluation evaluation;
  double sum = 0.0;
  for (int64_t drawn = 0; drawn < validation_->example_count();) {
    const data::SupervisedStep step = validation_->step(drawn, options_.batch);
    for (const data::SupervisedBatch& batch : step.micro_batches) {
      const Tensor states = model_->hidden(batch.tokens, nn::ForwardContext::packed(batch.positions));
      sum += model_->loss(states, batch.targets, batch.weights).item() * static_cast<double>(step.targets);
    }
    evaluation.tokens += step.targets;
    drawn += step.examples;
  }
  evaluation.loss = sum / static_cast<double>(evaluation.tokens);
  evaluation.figures = {{"perplexity", std::exp(evaluation.loss)}};
  return std::optional(evaluation);
}

Result<void> SupervisedTuning::restore(const nlohmann::json& state) {
  drawn_ = state.at("examples").get<int64_t>();
  return {};
}

void SupervisedTuning::describe(Fingerprint& print) const {
  print["examples"] = fmt::format("{:016x}", train_.dataset().key());
  print["train.batch"] = options_.batch;
  print["train.sequence"] = train_.options().sequence;
}

}  // namespace quern::train
