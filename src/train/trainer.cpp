#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/log.h"

namespace quern::train {

namespace fs = std::filesystem;

namespace {

// What makes two runs the same up to their length: going on with other values would not be the same curve.
Fingerprint fingerprint_of(const nn::Module& parameters, const Objective& objective, const TrainOptions& o) {
  Fingerprint print;
  nn::visit(parameters, [&](const std::string& name, const nn::Parameter& parameter) {
    print["model." + name] = parameter.shape().to_string() + (parameter.trainable() ? "" : ", frozen");
  });
  objective.describe(print);
  print["train.dtype"] = name_of(o.dtype);
  print["train.seed"] = o.seed;
  return print;
}

}  // namespace

Trainer::Trainer(std::unique_ptr<Trainee> trainee, std::unique_ptr<Objective> objective, TrainOptions options,
                 fs::path run_directory, TrainHooks hooks)
    : trainee_(std::move(trainee)),
      objective_(std::move(objective)),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      run_directory_(std::move(run_directory)),
      optimizer_(trainee_->parameters(), options_.optimizer),
      checkpoints_(run_directory_, fingerprint_of(trainee_->parameters(), *objective_, options_),
                   options_.keep, hooks_.save_extras) {
  trainee_->set_compute_dtype(options_.dtype);
  if (options_.dtype == DType::f16) state_.scaler = LossScaler::dynamic();
  if (hooks_.progress == nullptr) hooks_.progress = &null_progress();
}

Result<int64_t> Trainer::resume() {
  QUERN_TRY(const std::optional<fs::path> newest, checkpoints_.latest());
  if (!newest) return int64_t{0};
  QUERN_TRY(state_, checkpoints_.restore(*newest, *trainee_, optimizer_));
  QUERN_CHECK(objective_->restore(state_.objective));
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
      const Stopwatch start;
      QUERN_TRY(const StepResult result, step());
      const double seconds = start.seconds();
      state_.seconds += seconds;
      step_seconds_ += seconds;
      step_tokens_ += result.learnt.tokens;
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
  const fs::path final_folder = run_directory_ / trainee_->folder();
  QUERN_CHECK(trainee_->save(final_folder, true));
  if (hooks_.save_extras) QUERN_CHECK(hooks_.save_extras(final_folder));
  return TrainSummary{.steps = state_.step,
                      .tokens = state_.tokens,
                      .seconds = state_.seconds,
                      .train_loss = state_.smoothed_loss,
                      .evaluation = evaluation_,
                      .best_loss = state_.best_loss,
                      .best_step = state_.best_step,
                      .stopped_early = stale()};
}

Result<Trainer::StepResult> Trainer::step() {
  StepResult result{};
  result.lr = options_.schedule.at(state_.step);
  Result<StepLoss> learnt = objective_->accumulate({state_.step, state_.micro_batches, state_.scaler.scale});
  if (!learnt.ok()) return stopped_by(std::move(learnt).error());
  result.learnt = *std::move(learnt);
  state_.micro_batches += result.learnt.micro_batches;
  result.grad_norm = optimizer_.grad_norm() / state_.scaler.scale;
  if (std::isfinite(result.grad_norm)) {
    const double clip =
        options_.clip > 0.0 && result.grad_norm > options_.clip ? options_.clip / result.grad_norm : 1.0;
    optimizer_.step(result.lr, clip / state_.scaler.scale);
    state_.scaler.grow();
  } else if (std::isfinite(result.learnt.loss) && state_.scaler.back_off()) {
    optimizer_.skip();  // f16 overflow: expected now and then while the scale is being found
  } else {
    return make_error(
        ErrorCode::diverged,
        fmt::format("step {}: the loss is {} and the gradient norm {}", state_.step + 1, result.learnt.loss,
                    result.grad_norm),
        "lower train.lr, lengthen train.warmup, clip harder (train.clip) or use train.dtype=bf16 or f32; the "
        "last checkpoint is untouched");
  }
  ++state_.step;
  state_.tokens += result.learnt.targets;
  return result;
}

// Saves what was learnt before an objective failed, and says how to go on once it is mended.
Error Trainer::stopped_by(Error error) {
  if (state_.step == 0) return error;
  if (const Result<void> saved = save(); !saved.ok()) {
    log::warn("train", "not saved: {}", saved.error().message);
    return error;
  }
  const std::string way = fmt::format("the same command with --resume goes on after step {}", state_.step);
  error.hint = error.hint.empty() ? way : error.hint + "; " + way;
  return error;
}

Result<void> Trainer::check_divergence(const StepResult& result) {
  constexpr double kSmoothing = 0.95;
  // Nats above the lowest smoothed loss that no healthy run comes back from.
  constexpr double kMargin = 3.0;
  state_.smoothed_loss = std::isnan(state_.smoothed_loss)
                             ? result.learnt.loss
                             : kSmoothing * state_.smoothed_loss + (1.0 - kSmoothing) * result.learnt.loss;
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
    std::vector<Figure> figures = {{"loss", result.learnt.loss},
                                   {"smoothed_loss", state_.smoothed_loss},
                                   {"lr", result.lr},
                                   {"grad_norm", result.grad_norm},
                                   {"tokens", static_cast<double>(state_.tokens)},
                                   {"tokens_per_second", static_cast<double>(step_tokens_) / step_seconds_},
                                   {"loss_scale", state_.scaler.scale},
                                   {"memory_peak", static_cast<double>(memory_stats().peak)}};
    figures.insert(figures.end(), result.learnt.figures.begin(), result.learnt.figures.end());
    metrics.write("train", state_.step, figures);
    step_seconds_ = 0.0;
    step_tokens_ = 0;
    QUERN_CHECK(metrics.flush());
  }
  if (due(options_.eval_every)) QUERN_CHECK(evaluate_now(metrics));
  if (hooks_.sample && (due(options_.sample_every))) {
    QUERN_TRY(const TextSample sample, hooks_.sample());
    metrics.sample(state_.step, sample.prompt, sample.text);
  }
  if (due(options_.save_every)) QUERN_CHECK(save());
  return {};
}

Result<void> Trainer::evaluate_now(MetricsStream& metrics) {
  Result<std::optional<Evaluation>> evaluated = objective_->evaluate(state_.step);
  if (!evaluated.ok()) return stopped_by(std::move(evaluated).error());
  evaluation_ = *std::move(evaluated);
  if (!evaluation_) return {};
  std::vector<Figure> figures = {{"loss", evaluation_->loss}};
  figures.insert(figures.end(), evaluation_->figures.begin(), evaluation_->figures.end());
  figures.emplace_back("tokens", static_cast<double>(evaluation_->tokens));
  metrics.write("eval", state_.step, figures);
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
  state_.objective = objective_->state();
  QUERN_CHECK(checkpoints_.save(*trainee_, optimizer_, state_));
  saved_step_ = state_.step;
  return {};
}

}  // namespace quern::train
