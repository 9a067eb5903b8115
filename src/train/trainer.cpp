#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "autograd/graph.h"
#include "model/save.h"

namespace quern::train {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What makes two runs the same up to their length: going on with other values would not be the same curve.
Fingerprint fingerprint_of(const model::Decoder& model, const data::TokenDataset& train,
                           const TrainOptions& o) {
  Fingerprint print;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    print["model." + name] = parameter.shape().to_string();
  });
  print["corpus"] = fmt::format("{:016x}", train.key());
  print["tokens"] = train.token_count();
  print["train.batch"] = o.batch_sizes.to_string();
  print["train.sequence"] = o.sequence_lengths.to_string();
  print["train.sampling"] = o.sampling == data::SamplingMode::packed ? "packed" : "contiguous";
  print["train.dtype"] = name_of(o.dtype);
  print["train.seed"] = o.seed;
  print["data.assistant_only"] = o.assistant_only.has_value();
  return print;
}

}  // namespace

Result<Trainer> Trainer::create(model::Decoder& model, data::TokenDataset train,
                                data::TokenDataset validation, TrainOptions options, fs::path run_directory,
                                TrainHooks hooks) {
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
  model.set_compute_dtype(options.dtype);
  return Trainer(model, std::move(sampler), std::move(train), std::move(validation), std::move(options),
                 std::move(run_directory), std::move(hooks));
}

Trainer::Trainer(model::Decoder& model, data::BatchSampler sampler, data::TokenDataset train,
                 data::TokenDataset validation, TrainOptions options, fs::path run_directory,
                 TrainHooks hooks)
    : model_(model),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      run_directory_(std::move(run_directory)),
      sampler_(std::move(sampler)),
      validation_(std::move(validation)),
      optimizer_(model, options_.optimizer),
      checkpoints_(run_directory_, fingerprint_of(model, train, options_), options_.keep,
                   hooks_.save_extras) {
  if (options_.dtype == DType::f16) state_.scaler = LossScaler::dynamic();
  if (hooks_.progress == nullptr) hooks_.progress = &null_progress();
}

Result<int64_t> Trainer::resume() {
  QUERN_TRY(const std::optional<fs::path> newest, checkpoints_.latest());
  if (!newest) return int64_t{0};
  QUERN_TRY(state_, checkpoints_.restore(*newest, model_, optimizer_));
  QUERN_CHECK(sampler_.restore(state_.sampler));
  saved_step_ = state_.step;
  return state_.step;
}

Result<TrainSummary> Trainer::run() {
  QUERN_TRY(MetricsStream metrics, MetricsStream::open(run_directory_.string(), state_.step));
  const auto stale = [&] {
    return options_.early_stop > 0 && state_.stale_evaluations >= options_.early_stop;
  };
  {
    ProgressScope progress(*hooks_.progress, "train", options_.steps, "steps", state_.step);
    while (state_.step < options_.steps && !stale()) {
      const auto start = Clock::now();
      QUERN_TRY(const StepResult result, step());
      const double seconds = seconds_since(start);
      state_.seconds += seconds;
      step_seconds_ += seconds;
      step_tokens_ += result.tokens;
      QUERN_CHECK(check_divergence(result));
      progress.update(state_.step, {{"loss", state_.smoothed_loss},
                                    {"lr", result.lr},
                                    {"tok/s", static_cast<double>(step_tokens_) / step_seconds_}});
      QUERN_CHECK(after_step(result, metrics));
      if (hooks_.should_stop && hooks_.should_stop() && state_.step < options_.steps) {
        QUERN_CHECK(save());
        QUERN_CHECK(metrics.flush());
        return make_error(ErrorCode::cancelled,
                          fmt::format("stopped after step {} of {}; saved", state_.step, options_.steps),
                          "the same command with --resume goes on from here");
      }
    }
  }
  if (!evaluation_) QUERN_CHECK(evaluate_now(metrics));
  QUERN_CHECK(save());
  QUERN_CHECK(metrics.flush());
  const fs::path final_model = run_directory_ / "model";
  QUERN_CHECK(model::save_model(model_, final_model));
  if (hooks_.save_extras) QUERN_CHECK(hooks_.save_extras(final_model));
  return TrainSummary{.steps = state_.step,
                      .tokens = state_.tokens,
                      .seconds = state_.seconds,
                      .train_loss = state_.smoothed_loss,
                      .evaluation = evaluation_,
                      .best_loss = state_.best_loss,
                      .best_step = state_.best_step,
                      .stopped_early = stale()};
}

double Trainer::accumulate(int64_t& targets) {
  const int64_t rows = options_.batch_sizes.at(state_.step);
  const int64_t time = options_.sequence_lengths.at(state_.step);
  const int64_t micro = options_.micro_batch > 0 ? std::min(options_.micro_batch, rows) : rows;
  // All micro-batches first: each target weighs 1 / targets of the whole batch, so that accumulation equals
  // one pass over the full batch whatever the split (the mean of means would not).
  std::vector<data::Batch> batches;
  targets = 0;
  for (int64_t row = 0; row < rows; row += micro) {
    sampler_.next({std::min(micro, rows - row), time}, batches.emplace_back());
    targets += batches.back().target_count;
  }
  const double weight = state_.scaler.scale / static_cast<double>(std::max<int64_t>(targets, 1));
  double loss = 0.0;
  for (const data::Batch& batch : batches) {
    nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
    context.checkpoint = options_.checkpointing;
    context.dropout = {.enabled = model_.config().dropout > 0.0,
                       .seed = options_.seed,
                       .step = static_cast<uint64_t>(state_.micro_batches++)};
    const Tensor states = model_.hidden(batch.tokens, context);
    const Tensor weighted = model_.loss(states, batch.targets, Tensor::full({batch.targets.numel()}, weight));
    loss += weighted.item() / state_.scaler.scale;
    autograd::backward(weighted);
  }
  return loss;
}

Result<Trainer::StepResult> Trainer::step() {
  StepResult result{};
  result.lr = options_.schedule.at(state_.step);
  result.loss = accumulate(result.tokens);
  result.grad_norm = optimizer_.grad_norm() / state_.scaler.scale;
  if (std::isfinite(result.grad_norm)) {
    const double clip =
        options_.clip > 0.0 && result.grad_norm > options_.clip ? options_.clip / result.grad_norm : 1.0;
    optimizer_.step(result.lr, clip / state_.scaler.scale);
    state_.scaler.grow();
  } else if (std::isfinite(result.loss) && state_.scaler.back_off()) {
    optimizer_.skip();  // f16 overflow: expected now and then while the scale is being found
  } else {
    return make_error(
        ErrorCode::diverged,
        fmt::format("step {}: the loss is {} and the gradient norm {}", state_.step + 1, result.loss,
                    result.grad_norm),
        "lower train.lr, lengthen train.warmup, clip harder (train.clip) or use train.dtype=bf16 or f32; the "
        "last checkpoint is untouched");
  }
  ++state_.step;
  state_.tokens += result.tokens;
  return result;
}

Result<void> Trainer::check_divergence(const StepResult& result) {
  constexpr double kSmoothing = 0.95;
  // Nats above the lowest smoothed loss that no healthy run comes back from.
  constexpr double kMargin = 3.0;
  state_.smoothed_loss = std::isnan(state_.smoothed_loss)
                             ? result.loss
                             : kSmoothing * state_.smoothed_loss + (1.0 - kSmoothing) * result.loss;
  state_.lowest_smoothed = std::min(state_.lowest_smoothed, state_.smoothed_loss);
  if (state_.smoothed_loss <= state_.lowest_smoothed + kMargin) return {};
  return make_error(ErrorCode::diverged,
                    fmt::format("step {}: the smoothed loss rose from {:.3f} to {:.3f}", state_.step,
                                state_.lowest_smoothed, state_.smoothed_loss),
                    "lower train.lr or lengthen train.warmup; the last checkpoint is untouched");
}

Result<void> Trainer::after_step(const StepResult& result, MetricsStream& metrics) {
  evaluation_.reset();
  if (due(options_.log_every)) {
    metrics.write("train", state_.step,
                  {{"loss", result.loss},
                   {"smoothed_loss", state_.smoothed_loss},
                   {"lr", result.lr},
                   {"grad_norm", result.grad_norm},
                   {"tokens", static_cast<double>(state_.tokens)},
                   {"tokens_per_second", static_cast<double>(step_tokens_) / step_seconds_},
                   {"loss_scale", state_.scaler.scale},
                   {"memory_peak", static_cast<double>(memory_stats().peak)}});
    step_seconds_ = 0.0;
    step_tokens_ = 0;
    QUERN_CHECK(metrics.flush());
  }
  if (due(options_.eval_every)) QUERN_CHECK(evaluate_now(metrics));
  if (hooks_.sample && (due(options_.sample_every))) {
    QUERN_TRY(const TextSample sample, hooks_.sample(model_));
    metrics.sample(state_.step, sample.prompt, sample.text);
  }
  if (due(options_.save_every)) QUERN_CHECK(save());
  return {};
}

Result<void> Trainer::evaluate_now(MetricsStream& metrics) {
  if (validation_.token_count() == 0) return {};
  const int64_t rows = options_.batch_sizes.at(state_.step);
  EvaluateOptions how;
  how.mode = options_.sampling;
  how.shape = {options_.micro_batch > 0 ? std::min(options_.micro_batch, rows) : rows,
               options_.sequence_lengths.max()};
  how.max_batches = options_.eval_batches;
  QUERN_TRY(evaluation_, evaluate(model_, validation_, how));
  metrics.write("eval", state_.step,
                {{"loss", evaluation_->loss},
                 {"perplexity", evaluation_->perplexity},
                 {"bits_per_byte", evaluation_->bits_per_byte},
                 {"tokens", static_cast<double>(evaluation_->tokens)}});
  if (evaluation_->loss < state_.best_loss) {
    state_.best_loss = evaluation_->loss;
    state_.best_step = state_.step;
    state_.stale_evaluations = 0;
  } else {
    ++state_.stale_evaluations;
  }
  return metrics.flush();
}

Result<void> Trainer::save() {
  if (saved_step_ == state_.step) return {};
  state_.sampler = sampler_.state();
  QUERN_CHECK(checkpoints_.save(model_, optimizer_, state_));
  saved_step_ = state_.step;
  return {};
}

}  // namespace quern::train
