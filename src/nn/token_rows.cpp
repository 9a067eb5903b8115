#include "nn/token_rows.h"

#include <algorithm>

#include "autograd/graph.h"
#include "ops/cast.h"
#include "ops/linear.h"
#include "ops/logit_rows.h"
#include "ops/replace_rows.h"
#include "ops/scale.h"

namespace quern::nn {

TokenRows::TokenRows(std::vector<int32_t> ids, int64_t channels)
    : ids_(std::move(ids)), rows_(Shape{static_cast<int64_t>(ids_.size()), channels}, Init{0.0, 1.0}) {
  for (const int32_t id : ids_) places_[id] = static_cast<int32_t>(places_.size());
}

Tensor TokenRows::embeddings(const Tensor& x, const Tensor& tokens, double scale) const {
  const Tensor which(tokens.shape(), DType::i32);
  std::ranges::transform(tokens.span<int32_t>(), which.data<int32_t>(), [&](int32_t token) {
    const auto found = places_.find(token);
    return found == places_.end() ? -1 : found->second;
  });
  return ops::replace_rows(x, which, scale == 1.0 ? rows_.value() : ops::scale(rows_.value(), scale));
}

void TokenRows::put_logits(const Tensor& states, const Tensor& bias, const Tensor& logits) const {
  const autograd::NoGrad no_grad;
  ops::put_logits(ops::linear(states, ops::cast(rows_.value(), states.dtype())), ids_, bias, logits);
}

Tensor TokenRows::merged(const Tensor& table) const {
  const autograd::NoGrad no_grad;
  Tensor whole = ops::cast(table.detached(), DType::f32).clone();
  const Tensor rows = ops::cast(rows_.master().detached(), DType::f32);
  const int64_t channels = whole.dim(1);
  for (size_t i = 0; i < ids_.size(); ++i)
    std::copy_n(rows.data<float>() + static_cast<int64_t>(i) * channels, channels,
                whole.data<float>() + ids_[i] * channels);
  return whole;
}

void TokenRows::visit(const Visitor& visitor, const std::string& prefix) { visitor(prefix, rows_); }

}  // namespace quern::nn
