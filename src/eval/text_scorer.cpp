#include "eval/text_scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/graph.h"
#include "base/clock.h"
#include "base/interrupt.h"

namespace quern::eval {

Result<void> check_text_fits(const EvaluationText& text, const WindowOptions& windows,
                             const model::Decoder& model) {
  const model::ModelConfig& config = model.config();
  if (windows.context > config.max_positions) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("expected a context of at most the model's {} positions, got {}",
                                  config.max_positions, windows.context),
                      "lower --context");
  }
  const auto highest = std::ranges::max_element(text.tokens);
  if (highest != text.tokens.end() && *highest >= config.vocab_size) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("the text has token {}, but the model knows {}", *highest, config.vocab_size),
        "the tokenizer belongs to another model");
  }
  return {};
}

namespace {

// f32 [R, V] for rows [begin, end) of states [1, T, C].
Tensor logits_of(const model::Decoder& model, const Tensor& states, int64_t begin, int64_t end) {
  const Tensor rows = states.reshaped({states.dim(1), states.dim(2)}).sliced(begin, end);
  return model.logits(rows).to(DType::f32);
}

// The scores of one window.
std::vector<TokenScore> score_window(const EvaluationText& text, const Window& window,
                                     const ScoringOptions& options, const model::Decoder& model,
                                     const model::Decoder* base) {
  const std::vector<int32_t> shown = shown_tokens(text, window, options.windows.method);
  const auto time = static_cast<int64_t>(shown.size());
  const Tensor tokens = Tensor::from(shown, {1, time});
  const nn::ForwardContext context = nn::ForwardContext::causal(1, time);
  const Tensor states = model.hidden(tokens, context);
  const Tensor base_states = base != nullptr ? base->hidden(tokens, context) : Tensor();

  std::vector<TokenScore> scores(static_cast<size_t>(window.end - window.scored));
  const int64_t row_bytes = model.config().vocab_size * size_of(DType::f32);
  const int64_t slice = std::max<int64_t>(1, options.slice_bytes / row_bytes);
  for (int64_t begin = window.scored; begin < window.end; begin += slice) {
    const int64_t end = std::min(begin + slice, window.end), first = begin - window.begin;
    const auto count = static_cast<size_t>(end - begin);
    const std::span<TokenScore> part =
        std::span(scores).subspan(static_cast<size_t>(begin - window.scored), count);
    for (size_t i = 0; i < count; ++i) part[i].position = begin + static_cast<int64_t>(i);
    const std::span<const int32_t> targets = std::span(shown).subspan(static_cast<size_t>(first), count);
    // The logits of a token are those after the token before it.
    const Tensor logits = logits_of(model, states, first - 1, first - 1 + end - begin);
    if (base != nullptr) {
      score_rows(logits, logits_of(*base, base_states, first - 1, first - 1 + end - begin), targets, part);
    } else {
      score_rows(logits, targets, part);
    }
  }
  return scores;
}

}  // namespace

Result<ScoredText> score_text(const EvaluationText& text, const ScoringOptions& options,
                              const model::Decoder& model, const model::Decoder* base, Progress& progress) {
  QUERN_CHECK(check_text_fits(text, options.windows, model));
  if (base != nullptr) {
    QUERN_CHECK(check_text_fits(text, options.windows, *base));
    if (base->config().vocab_size != model.config().vocab_size) {
      return make_error(ErrorCode::conflict,
                        fmt::format("the model has {} tokens, the base {}", model.config().vocab_size,
                                    base->config().vocab_size),
                        "distributions are compared over one vocabulary");
    }
  }
  QUERN_TRY(const std::vector<Window> windows,
            windows_over(static_cast<int64_t>(text.tokens.size()), options.windows));
  const autograd::NoGrad no_grad;
  const Stopwatch watch;
  ScoredText result;
  RunningMean mean;
  ProgressScope scope(progress, "perplexity", static_cast<int64_t>(windows.size()), "chunks");
  for (const Window& window : windows) {
    throw_if_interrupted();
    for (const TokenScore& score : score_window(text, window, options, model, base)) {
      if (std::isnan(score.nll) || std::isnan(score.base_nll)) {
        return make_error(
            ErrorCode::diverged,
            fmt::format("the logits before token {} of the text are no numbers", score.position),
            "the weights are damaged, or their dtype does not hold their values");
      }
      mean.add(score.nll);
      const text::Span span = text.spans[static_cast<size_t>(score.position)];
      result.bytes += span.end - span.begin;
      result.tokens.push_back(score);
    }
    result.running.push_back({mean.count(), mean.estimate()});
    const Estimate perplexity = exponential(mean.estimate());
    scope.update(static_cast<int64_t>(result.running.size()),
                 {{"ppl", perplexity.value}, {"+-", perplexity.error}});
  }
  result.seconds = watch.seconds();
  return result;
}

}  // namespace quern::eval
