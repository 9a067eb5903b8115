#include "train/supervised.h"

#include <fmt/format.h>

#include <cmath>

#include "autograd/graph.h"

namespace quern::train {

Result<SupervisedTuning> SupervisedTuning::create(const model::Decoder& model, data::SupervisedSampler train,
                                                  std::optional<data::SupervisedSampler> validation,
                                                  const SupervisedTraining& options) {
  const model::ModelConfig& config = model.config();
  for (const data::SupervisedSampler* sampler : {&train, validation ? &*validation : nullptr}) {
    if (sampler == nullptr) continue;
    const data::TokenDataset& examples = sampler->dataset();
    if (examples.max_token() >= config.vocab_size) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("the examples hold token {}, but the model has a vocabulary of {}",
                                    examples.max_token(), config.vocab_size),
                        "prepare them with the model's own tokenizer");
    }
    if (sampler->options().sequence > config.max_positions) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("train.sequence is {}, but the model has {} positions",
                                    sampler->options().sequence, config.max_positions),
                        "shorten train.sequence");
    }
  }
  return SupervisedTuning(model, std::move(train), std::move(validation), options);
}

SupervisedTuning::SupervisedTuning(const model::Decoder& model, data::SupervisedSampler train,
                                   std::optional<data::SupervisedSampler> validation,
                                   const SupervisedTraining& options)
    : model_(&model), train_(std::move(train)), validation_(std::move(validation)), options_(options) {}

Result<StepLoss> SupervisedTuning::accumulate(const StepRequest& request) {
  const data::SupervisedStep step = train_.step(drawn_, options_.batch);
  StepLoss result{.targets = step.targets, .tokens = step.tokens};
  for (const data::SupervisedBatch& batch : step.micro_batches) {
    nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
    context.checkpoint = options_.checkpointing;
    context.dropout = {.enabled = options_.dropout > 0.0,
                       .seed = options_.seed,
                       .step = static_cast<uint64_t>(request.micro_batches + result.micro_batches++)};
    const Tensor loss = model_->loss(model_->hidden(batch.tokens, context), batch.targets, batch.weights);
    result.loss += loss.item();
    autograd::backward(loss, Tensor::full(Shape(), request.scale, loss.dtype()));
  }
  drawn_ += step.examples;
  result.figures = {{"epoch", static_cast<double>(drawn_) / static_cast<double>(train_.example_count())},
                    {"examples", static_cast<double>(drawn_)},
                    {"padding", 1.0 - static_cast<double>(step.tokens) / static_cast<double>(step.places)}};
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
  evaluation.perplexity = std::exp(evaluation.loss);
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
