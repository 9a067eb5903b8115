#include "nn/mlp.h"

namespace quern::nn {

Mlp::Mlp(const MlpSpec& spec)
    : activation_(spec.activation),
      up_(spec.hidden, spec.intermediate, spec.bias, spec.init_std),
      down_(spec.intermediate, spec.hidden, spec.bias, spec.init_std_residual) {
  if (spec.gated) gate_.emplace(spec.hidden, spec.intermediate, spec.bias, spec.init_std);
}

Tensor Mlp::forward(const Tensor& x, const ForwardContext& context) const {
  const Tensor inner = gate_ ? Linear::forward_gated(x, *gate_, up_, activation_, context)
                             : ops::activation(activation_, up_.forward(x, context));
  return down_.forward(inner, context);
}

void Mlp::visit(const Visitor& visitor, const std::string& prefix) {
  if (gate_) gate_->visit(visitor, prefix + "gate.");
  up_.visit(visitor, prefix + "up.");
  down_.visit(visitor, prefix + "down.");
}

}  // namespace quern::nn
