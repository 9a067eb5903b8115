#include "train/pretraining.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/graph.h"

namespace quern::train {

Result<Pretraining> Pretraining::create(const model::Decoder& model, data::TokenDataset train,
                                        data::TokenDataset validation, TrainOptions options) {
  const int64_t vocab = model.config().vocab_size, positions = model.config().max_positions;
  const int32_t max_token = std::max(train.max_token(), validation.max_token());
  if (max_token >= vocab) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the corpus holds token {}, but the model has a vocabulary of {}", max_token, vocab),
        "train with the tokenizer the model was made for");
  }
  if (options.sequence_lengths.max() > positions) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("train.sequence is {}, but the model has {} positions",
                                  options.sequence_lengths.max(), positions),
                      "shorten train.sequence or raise model.max_positions");
  }
  data::SamplerOptions sampling;
  sampling.mode = options.sampling;
  sampling.seed = options.seed;
  sampling.assistant_only = options.assistant_only;
  QUERN_TRY(data::BatchSampler sampler, data::BatchSampler::create(train, sampling));
  return Pretraining(model, std::move(sampler), std::move(train), std::move(validation), std::move(options));
}

Pretraining::Pretraining(const model::Decoder& model, data::BatchSampler sampler, data::TokenDataset train,
                         data::TokenDataset validation, TrainOptions options)
    : model_(&model),
      sampler_(std::move(sampler)),
      train_(std::move(train)),
      validation_(std::move(validation)),
      options_(std::move(options)) {}

Result<StepLoss> Pretraining::accumulate(const StepRequest& request) {
  const int64_t rows = options_.batch_sizes.at(request.step),
                time = options_.sequence_lengths.at(request.step);
  const int64_t micro = options_.micro_batch > 0 ? std::min(options_.micro_batch, rows) : rows;
  // All micro-batches first: each target weighs 1 / targets of the whole batch, so that accumulation equals
  // one pass over the full batch whatever the split (the mean of means would not).
  std::vector<data::Batch> batches;
  StepLoss result;
  for (int64_t row = 0; row < rows; row += micro) {
    sampler_.next({std::min(micro, rows - row), time}, batches.emplace_back());
    result.targets += batches.back().target_count;
  }
  result.tokens = result.targets;
  const double weight = request.scale / static_cast<double>(std::max<int64_t>(result.targets, 1));
  for (const data::Batch& batch : batches) {
    nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
    context.checkpoint = options_.checkpointing;
    context.dropout = {.enabled = model_->config().dropout > 0.0,
                       .seed = options_.seed,
                       .step = static_cast<uint64_t>(request.micro_batches + result.micro_batches++)};
    const Tensor states = model_->hidden(batch.tokens, context);
    const Tensor weighted =
        model_->loss(states, batch.targets, Tensor::full({batch.targets.numel()}, weight));
    result.loss += weighted.item() / request.scale;
    autograd::backward(weighted);
  }
  return result;
}

Result<std::optional<Evaluation>> Pretraining::evaluate(int64_t step) {
  if (validation_.token_count() == 0) return std::optional<Evaluation>();
  const int64_t rows = options_.batch_sizes.at(step);
  EvaluateOptions how;
  how.mode = options_.sampling;
  how.shape = {options_.micro_batch > 0 ? std::min(options_.micro_batch, rows) : rows,
               options_.sequence_lengths.max()};
  how.max_batches = options_.eval_batches;
  QUERN_TRY(const Evaluation evaluation, train::evaluate(*model_, validation_, how));
  return std::optional(evaluation);
}

Result<void> Pretraining::restore(const nlohmann::json& state) {
  return sampler_.restore(state.get<data::SamplerState>());
}

void Pretraining::describe(Fingerprint& print) const {
  print["corpus"] = fmt::format("{:016x}", train_.key());
  print["tokens"] = train_.token_count();
  print["train.batch"] = options_.batch_sizes.to_string();
  print["train.sequence"] = options_.sequence_lengths.to_string();
  print["train.sampling"] = options_.sampling == data::SamplingMode::packed ? "packed" : "contiguous";
  print["data.assistant_only"] = options_.assistant_only.has_value();
}

}  // namespace quern::train
