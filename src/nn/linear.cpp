#include "nn/linear.h"

namespace quern::nn {

Linear::Linear(int64_t in, int64_t out, bool bias, double std) : weight_(Shape{out, in}, Init{0.0, std}) {
  if (bias) bias_.emplace(Shape{out}, Init{});
}

Tensor Linear::forward(const Tensor& x, const ForwardContext& context) const {
  const ops::LinearMap own = map(x, context);
  return ops::linear_group(x, std::span(&own, 1)).front();
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
