#include "train/example_objective.h"

#include <fmt/format.h>

#include "autograd/graph.h"

namespace quern::train {

namespace {

Result<void> check(const model::ModelConfig& config, const data::SupervisedSampler& examples,
                   data::TokenContent wanted) {
  if (const data::TokenContent content = examples.dataset().content(); content != wanted) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the examples are {}, and {} are needed", data::name_of(content), data::name_of(wanted)),
        "prepare other rows (quern data prepare)");
  }
  if (examples.dataset().max_token() >= config.vocab_size) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the examples hold token {}, but the model has a vocabulary of {}",
                                  examples.dataset().max_token(), config.vocab_size),
                      "prepare them with the model's own tokenizer");
  }
  if (examples.options().sequence > config.max_positions) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("train.sequence is {}, but the model has {} positions",
                                  examples.options().sequence, config.max_positions),
                      "shorten train.sequence");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ExampleObjective>> ExampleObjective::create(const model::ModelConfig& config,
                                                                   Examples examples,
                                                                   const TuningOptions& options,
                                                                   std::unique_ptr<Criterion> criterion) {
  QUERN_CHECK(check(config, examples.train, criterion->content()));
  if (examples.validation) QUERN_CHECK(check(config, *examples.validation, criterion->content()));
  return std::unique_ptr<ExampleObjective>(
      new ExampleObjective(std::move(examples), options, std::move(criterion)));
}

ExampleObjective::ExampleObjective(Examples examples, const TuningOptions& options,
                                   std::unique_ptr<Criterion> criterion)
    : examples_(std::move(examples)), options_(options), criterion_(std::move(criterion)) {}

Result<StepLoss> ExampleObjective::accumulate(const StepRequest& request) {
  const data::SupervisedStep step = examples_.train.step(drawn_, options_.batch);
  StepLoss result{.targets = step.targets, .tokens = step.tokens};
  criterion_->clear();
  criterion_->begin_step(examples_.train, step);
  for (const data::SupervisedBatch& batch : step.micro_batches) {
    const int64_t pass = request.micro_batches + result.micro_batches++;
    criterion_->add(batch, training_context(batch, options_, pass), request.scale);
  }
  drawn_ += step.examples;
  result.loss = criterion_->loss();
  result.figures = {
      {"epoch", static_cast<double>(drawn_) / static_cast<double>(examples_.train.example_count())},
      {"examples", static_cast<double>(drawn_)},
      {"padding", 1.0 - static_cast<double>(step.tokens) / static_cast<double>(step.places)}};
  for (Figure& figure : criterion_->figures()) result.figures.push_back(std::move(figure));
  return result;
}

Result<std::optional<Evaluation>> ExampleObjective::evaluate(int64_t) {
  if (!examples_.validation) return std::optional<Evaluation>();
  const data::SupervisedSampler& held_out = *examples_.validation;
  const autograd::NoGrad no_grad;
  Evaluation evaluation;
  criterion_->clear();
  for (int64_t drawn = 0; drawn < held_out.example_count();) {
    const data::SupervisedStep step = held_out.step(drawn, options_.batch);
    criterion_->begin_step(held_out, step);
    for (const data::SupervisedBatch& batch : step.micro_batches)
      criterion_->add(batch, nn::ForwardContext::packed(batch.positions), 1.0);
    evaluation.tokens += step.targets;
    drawn += step.examples;
  }
  evaluation.loss = criterion_->loss();
  evaluation.figures = criterion_->evaluation_figures();
  return std::optional(std::move(evaluation));
}

Result<void> ExampleObjective::restore(const nlohmann::json& state) {
  drawn_ = state.at("examples").get<int64_t>();
  return {};
}

void ExampleObjective::describe(Fingerprint& print) const {
  print["examples"] = fmt::format("{:016x}", examples_.train.dataset().key());
  print["train.batch"] = options_.batch;
  print["train.sequence"] = examples_.train.options().sequence;
  if (options_.embedding_noise > 0.0) print["embedding_noise"] = options_.embedding_noise;
  criterion_->describe(print);
}

}  // namespace quern::train
