#include "train/tuning.h"

#include <fmt/format.h>

namespace quern::train {

Result<void> check_examples(const model::ModelConfig& config, const data::SupervisedSampler& examples) {
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

nn::ForwardContext training_context(const data::SupervisedBatch& batch, const TuningOptions& options,
                                    int64_t micro_batches) {
  nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
  context.checkpoint = options.checkpointing;
  context.dropout = {
      .enabled = options.dropout > 0.0, .seed = options.seed, .step = static_cast<uint64_t>(micro_batches)};
  return context;
}

std::vector<Figure> figures_of_step(const data::SupervisedStep& step, int64_t drawn, int64_t examples) {
  return {{"epoch", static_cast<double>(drawn) / static_cast<double>(examples)},
          {"examples", static_cast<double>(drawn)},
          {"padding", 1.0 - static_cast<double>(step.tokens) / static_cast<double>(step.places)}};
}

}  // namespace quern::train
