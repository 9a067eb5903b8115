#include "eval/token_scores.h"

#include <algorithm>
#include <cmath>

#include "base/exception.h"
#include "base/threads.h"

namespace quern::eval {

namespace {

std::span<const float> row_of(const Tensor& logits, int64_t i) {
  const auto vocab = static_cast<size_t>(logits.dim(1));
  return logits.span<float>().subspan(static_cast<size_t>(i) * vocab, vocab);
}

size_t likeliest(std::span<const float> row) {
  return static_cast<size_t>(std::ranges::max_element(row) - row.begin());
}

// ln sum exp(row), where `top` indexes its largest element.
double log_sum_exp(std::span<const float> row, size_t top) {
  double sum = 0.0;
  for (const float logit : row) sum += std::exp(static_cast<double>(logit) - row[top]);
  return row[top] + std::log(sum);
}

void compare(std::span<const float> row, std::span<const float> base, size_t target, TokenScore& score) {
  const size_t top = likeliest(row), base_top = likeliest(base);
  const double norm = log_sum_exp(row, top);
  // sum p (ln p - ln q) = sum p (base - row) - (base norm - norm), from one pass of exponentials over the base.
  double sum = 0.0, weighted = 0.0;
  for (size_t i = 0; i < base.size(); ++i) {
    const double p = std::exp(static_cast<double>(base[i]) - base[base_top]);
    sum += p;
    if (p > 0.0) weighted += p * (static_cast<double>(base[i]) - row[i]);
  }
  const double base_norm = base[base_top] + std::log(sum);
  score.nll = norm - row[target];
  score.base_nll = base_norm - base[target];
  score.kl = weighted / sum - (base_norm - norm);
  score.same_top = top == base_top;
}

void expect(const Tensor& logits, std::span<const int32_t> targets, std::span<TokenScore> scores) {
  if (logits.dtype() != DType::f32 || logits.shape().rank() != 2 ||
      logits.dim(0) != static_cast<int64_t>(targets.size()) || scores.size() != targets.size()) {
    throw ShapeError("[score_rows] expected f32[" + std::to_string(targets.size()) + ", V], got " +
                     logits.describe());
  }
  for (const int32_t target : targets) {
    if (target < 0 || target >= logits.dim(1)) {
      throw ShapeError("[score_rows] expected tokens below " + std::to_string(logits.dim(1)) + ", got " +
                       std::to_string(target));
    }
  }
}

}  // namespace

void score_rows(const Tensor& logits, std::span<const int32_t> targets, std::span<TokenScore> scores) {
  expect(logits, targets, scores);
  parallel_for(logits.dim(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::span<const float> row = row_of(logits, i);
      const auto n = static_cast<size_t>(i);
      scores[n].nll = log_sum_exp(row, likeliest(row)) - row[static_cast<size_t>(targets[n])];
    }
  });
}

void score_rows(const Tensor& logits, const Tensor& base_logits, std::span<const int32_t> targets,
                std::span<TokenScore> scores) {
  expect(logits, targets, scores);
  if (base_logits.dtype() != DType::f32 || base_logits.shape() != logits.shape())
    throw ShapeError("[score_rows] expected base logits f32" + logits.shape().to_string() + ", got " +
                     base_logits.describe());
  parallel_for(logits.dim(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto n = static_cast<size_t>(i);
      compare(row_of(logits, i), row_of(base_logits, i), static_cast<size_t>(targets[n]), scores[n]);
    }
  });
}

}  // namespace quern::eval
