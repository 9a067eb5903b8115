#include "nn/norm.h"

namespace quern::nn {

Norm::Norm(int64_t channels, const NormSpec& spec)
    : spec_(spec), weight_(Shape{channels}, Init{1.0 - spec.weight_offset, 0.0}) {
  if (spec.bias && spec.kind == ops::NormKind::layer) bias_.emplace(Shape{channels}, Init{});
}

Tensor Norm::forward(const Tensor& x) const {
  return ops::norm(spec_.kind, x, weight_.value(), bias_ ? bias_->value() : Tensor(), spec_.eps,
                   spec_.weight_offset);
}

void Norm::visit(const Visitor& visitor, const std::string& prefix) {
  visitor(prefix + "weight", weight_);
  if (bias_) visitor(prefix + "bias", *bias_);
}

}  // namespace quern::nn
