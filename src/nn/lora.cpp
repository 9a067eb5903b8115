#include "nn/lora.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/graph.h"
#include "base/exception.h"
#include "nn/dropout.h"
#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/linear.h"
#include "ops/scale.h"
#include "ops/transpose.h"

namespace quern::nn {

namespace {

// Places of dropout in adapters begin behind those of the deepest models.
constexpr uint64_t kFirstSite = 1 << 14;

// sum over the columns of a and b [R, C] of one shape, in double: f32 [R].
std::vector<double> row_dots(const Tensor& a, const Tensor& b) {
  std::vector<double> sums(static_cast<size_t>(a.dim(0)));
  const float *x = a.data<float>(), *y = b.data<float>();
  for (double& sum : sums) {
    for (int64_t c = 0; c < a.dim(1); ++c) sum += static_cast<double>(*x++) * *y++;
  }
  return sums;
}

// m / |row of W + scale · B·A|, through which the gradient reaches m alone.
Tensor gain_of(const LoraModule& module, const LoraModule::Part& part, DType dtype) {
  Tensor inverse = row_lengths(module, part);
  for (float& length : inverse.span<float>()) length = length > 0.0f ? 1.0f / length : 0.0f;
  return ops::cast(ops::mul(part.magnitude->value(), ops::cast(inverse, part.magnitude->value().dtype())),
                   dtype);
}

}  // namespace

Tensor row_lengths(const LoraModule& module, const LoraModule::Part& part) {
  const autograd::NoGrad no_grad;
  const Tensor w = ops::cast(part.weight->master(), DType::f32);
  const Tensor a = ops::cast(module.a.master(), DType::f32), b = ops::cast(part.b.master(), DType::f32);
  // |W + sBA|^2 of a row is W·W + 2s (W·A^T)·B + s^2 (B·(A·A^T))·B: nothing as large as W is made but W itself.
  const std::vector<double> own = row_dots(w, w), both = row_dots(ops::linear(w, a), b),
                            added = row_dots(ops::linear(b, ops::linear(a, a)), b);
  Tensor lengths({w.dim(0)}, DType::f32);
  for (size_t i = 0; i < own.size(); ++i) {
    const double s = module.spec.scale, square = own[i] + 2.0 * s * both[i] + s * s * added[i];
    lengths.data<float>()[i] = static_cast<float>(std::sqrt(std::max(square, 0.0)));
  }
  return lengths;
}

void LoraAdapter::add(std::string name, std::span<const Parameter* const> weights, const LoraSpec& spec) {
  const int64_t in = weights.front()->shape()[1];
  // The variance of PEFT's uniform numbers (Kaiming's with a = sqrt 5).
  const double std = 1.0 / std::sqrt(3.0 * static_cast<double>(in));
  LoraModule module{std::move(name), spec, Parameter(Shape{spec.rank, in}, Init{0.0, std}), {}};
  for (const Parameter* weight : weights) {
    if (weight->shape().rank() != 2 || weight->shape()[1] != in)
      throw ShapeError("[lora] expected matrices of " + std::to_string(in) + " columns, got " +
                       weight->shape().to_string());
    const int64_t out = weight->shape()[0];
    LoraModule::Part part{weight, Parameter(Shape{out, spec.rank}, Init{}), {}};
    if (spec.magnitudes) part.magnitude.emplace(Shape{out}, Init{1.0, 0.0});
    places_[weight] = {modules_.size(), module.parts.size()};
    module.parts.push_back(std::move(part));
  }
  modules_.push_back(std::move(module));
}

void LoraAdapter::add(TokenTable table) {
  const Shape &whole = table.weight->shape(), &own = table.rows.rows().shape();
  const auto fits = [&](int32_t id) { return id >= 0 && id < whole[0]; };
  if (whole.rank() != 2 || whole[1] != own[1] || !std::ranges::all_of(table.rows.ids(), fits))
    throw ShapeError("[lora] expected rows of tokens of a table " + whole.to_string() + ", got " +
                     own.to_string());
  tables_.push_back(std::move(table));
}

const TokenRows* LoraAdapter::rows_of(bool TokenTable::*use) const {
  const auto found = std::ranges::find_if(tables_, [&](const TokenTable& table) { return table.*use; });
  return found == tables_.end() ? nullptr : &found->rows;
}

Tensor LoraAdapter::change(const Parameter& weight, const Tensor& bias, const Tensor& x, const Tensor& y,
                           const DropoutState& state) const {
  const auto place = places_.find(&weight);
  if (place == places_.end()) return y;
  const LoraModule& module = modules_[place->second.module];
  const LoraModule::Part& part = module.parts[place->second.part];
  const Tensor entering = dropout(x, module.spec.dropout, state, kFirstSite + place->second.module);
  const Tensor low = ops::scale(ops::linear(entering, module.a.value()), module.spec.scale);
  if (!part.magnitude) return ops::add(y, ops::linear(low, part.b.value()));
  const Tensor own = bias.defined() ? ops::sub(y, ops::cast(bias, y.dtype())) : y;
  const Tensor gain =
      part.gain.defined() ? ops::cast(part.gain, y.dtype()) : gain_of(module, part, y.dtype());
  const Tensor scaled = ops::mul(ops::add(own, ops::linear(low, part.b.value())), gain);
  return bias.defined() ? ops::add(scaled, ops::cast(bias, y.dtype())) : scaled;
}

void LoraAdapter::freeze() {
  set_trainable(*this, false);
  const autograd::NoGrad no_grad;
  for (LoraModule& module : modules_) {
    for (LoraModule::Part& part : module.parts) {
      if (part.magnitude) part.gain = gain_of(module, part, DType::f32);
    }
  }
}

Tensor LoraAdapter::merged(const Parameter& weight) const {
  const autograd::NoGrad no_grad;
  const Place place = places_.at(&weight);
  const LoraModule& module = modules_[place.module];
  const LoraModule::Part& part = module.parts[place.part];
  const Tensor a = ops::cast(module.a.master(), DType::f32), b = ops::cast(part.b.master(), DType::f32);
  const Tensor added = ops::scale(ops::linear(b, ops::transpose(a)), module.spec.scale);
  Tensor sum = ops::add(ops::cast(weight.master(), DType::f32), added);
  if (!part.magnitude) return sum;
  const Tensor gain = gain_of(module, part, DType::f32);
  float* at = sum.data<float>();
  for (const float factor : gain.span<float>()) {
    for (int64_t c = 0; c < sum.dim(1); ++c) *at++ *= factor;
  }
  return sum;
}

void LoraAdapter::visit(const Visitor& visitor, const std::string& prefix) {
  for (LoraModule& module : modules_) {
    const std::string path = prefix + module.name;
    visitor(path + ".lora_A.weight", module.a);
    for (size_t i = 0; i < module.parts.size(); ++i) {
      LoraModule::Part& part = module.parts[i];
      const std::string number = module.parts.size() > 1 ? fmt::format(".{}", i) : "";
      visitor(fmt::format("{}.lora_B.weight{}", path, number), part.b);
      if (part.magnitude) visitor(fmt::format("{}.lora_magnitude_vector{}", path, number), *part.magnitude);
    }
  }
  for (TokenTable& table : tables_)
    table.rows.visit(visitor, prefix + table.name + std::string(TokenRows::kPeftName));
}

}  // namespace quern::nn
