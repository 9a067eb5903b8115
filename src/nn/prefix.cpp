#include "nn/prefix.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/activation.h"
#include "ops/linear.h"
#include "ops/replace_rows.h"
#include "ops/reshape.h"

namespace quern::nn {

namespace {

// The variance of PyTorch's first weights of linear maps.
Init init_of(int64_t in) { return {0.0, 1.0 / std::sqrt(3.0 * static_cast<double>(in))}; }

Tensor value_of(const Parameter& parameter) { return parameter.value(); }
Tensor master_of(const Parameter& parameter) { return parameter.master().detached(); }

}  // namespace

Prefix::Prefix(const PrefixSpec& spec) : spec_(spec) {
  if (const int64_t inner = spec.projection; inner > 0) {
    projection_.emplace(Projection{
        Parameter({spec.tokens, spec.width}, Init{0.0, 1.0}),
        {Parameter({inner, spec.width}, init_of(spec.width)), Parameter(Shape{inner}, init_of(spec.width))}});
  }
  for (int64_t layer = 0; layer < spec.layers; ++layer) layers_.push_back({new_rows(), new_rows()});
}

Prefix::Rows Prefix::new_rows() const {
  const int64_t inner = spec_.projection;
  if (inner == 0) return {Parameter({spec_.tokens, spec_.width}, Init{0.0, 1.0}), {}};
  return {Parameter({spec_.width, inner}, init_of(inner)), Parameter(Shape{spec_.width}, init_of(inner))};
}

// The perceptron runs anew for each: it is as small as the prefix, and a checkpointed layer depends on parameters alone.
template <class ValueOf>
Tensor Prefix::rows(const Rows& of, const ValueOf& value_of) const {
  if (!projection_) return value_of(of.matrix);
  const Rows& inner = projection_->inner;
  const Tensor sum =
      ops::linear(value_of(projection_->embedding), value_of(inner.matrix), value_of(*inner.bias));
  return ops::linear(ops::activation(ops::Activation::tanh, sum), value_of(of.matrix), value_of(*of.bias));
}

Tensor Prefix::replaced(const Tensor& x, const Tensor& which, const Rows& own) const {
  const Tensor flat = ops::reshape(x, {which.numel(), spec_.width});
  return ops::reshape(ops::replace_rows(flat, which, rows(own, value_of)), x.shape());
}

Tensor Prefix::keys(int64_t layer) const { return rows(layers_[static_cast<size_t>(layer)].keys, master_of); }

Tensor Prefix::values(int64_t layer) const {
  return rows(layers_[static_cast<size_t>(layer)].values, master_of);
}

Tensor Prefix::keys(int64_t layer, const Tensor& k, const Tensor& which) const {
  return replaced(k, which, layers_[static_cast<size_t>(layer)].keys);
}

Tensor Prefix::values(int64_t layer, const Tensor& v, const Tensor& which) const {
  return replaced(v, which, layers_[static_cast<size_t>(layer)].values);
}

void Prefix::assign(int64_t layer, Tensor keys, Tensor values) {
  Layer& own = layers_[static_cast<size_t>(layer)];
  own.keys.matrix.assign(std::move(keys));
  own.values.matrix.assign(std::move(values));
}

void Prefix::visit(const Visitor& visitor, const std::string& prefix) {
  const auto visit_rows = [&](const std::string& name, Rows& rows) {
    visitor(prefix + name + (rows.bias ? ".weight" : ""), rows.matrix);
    if (rows.bias) visitor(prefix + name + ".bias", *rows.bias);
  };
  if (projection_) {
    visitor(prefix + "embedding", projection_->embedding);
    visit_rows("inner", projection_->inner);
  }
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    visit_rows(fmt::format("layers.{}.keys", layer), layers_[layer].keys);
    visit_rows(fmt::format("layers.{}.values", layer), layers_[layer].values);
  }
}

}  // namespace quern::nn
