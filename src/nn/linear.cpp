#include "nn/linear.h"

#include "nn/adapter.h"

namespace quern::nn {

Linear::Linear(int64_t in, int64_t out, bool bias, double std) : weight_(Shape{out, in}, Init{0.0, std}) {
  if (bias) bias_.emplace(Shape{out}, Init{});
}

Tensor Linear::forward(const Tensor& x, const ForwardContext& context) const {
  const Linear* const own = this;
  return forward_group(x, std::span(&own, 1), context).front();
}

std::vector<Tensor> Linear::forward_group(const Tensor& x, std::span<const Linear* const> maps,
                                          const ForwardContext& context) {
  std::vector<ops::LinearMap> plain;
  plain.reserve(maps.size());
  for (const Linear* linear : maps) plain.push_back(linear->map(x, context));
  std::vector<Tensor> y = ops::linear_group(x, plain);
  for (size_t i = 0; i < y.size(); ++i) y[i] = adapted(maps[i]->weight_, plain[i].bias, x, y[i], context);
  return y;
}

Tensor Linear::forward_gated(const Tensor& x, const Linear& gate, const Linear& up,
                             ops::Activation activation, const ForwardContext& context) {
  if (!is_adapted(gate.weight_, context) && !is_adapted(up.weight_, context))
    return ops::gated_linear(x, gate.map(x, context), up.map(x, context), activation);
  const Linear* const both[] = {&gate, &up};
  const std::vector<Tensor> y = forward_group(x, both, context);
  return ops::gated(activation, y[0], y[1]);
}

ops::LinearMap Linear::map(const Tensor& x, const ForwardContext& context) const {
  if (context.observer != nullptr) context.observer->input(weight_, x);
  return {weight_.value(), bias_ ? bias_->value() : Tensor(), weight_.strips()};
}

void Linear::visit(const Visitor& visitor, const std::string& prefix) {
  visitor(prefix + "weight", weight_);
  if (bias_) visitor(prefix + "bias", *bias_);
}

}  // namespace quern::nn
