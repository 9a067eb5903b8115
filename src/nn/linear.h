// The affine map every projection is made of.
#pragma once

#include <optional>

#include "nn/context.h"
#include "nn/module.h"
#include "ops/linear.h"

namespace quern::nn {

// y[..., out] = x[..., in]·weight[out, in]^T + bias[out].
class Linear final : public Module {
 public:
  // Weights start as N(0, std), the bias as 0.
  Linear(int64_t in, int64_t out, bool bias, double std);

  // Throws ShapeError unless the last extent of x is `in`.
  Tensor forward(const Tensor& x, const ForwardContext& context) const;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

  const Parameter& weight() const { return weight_; }
  // forward() of each map, in one pass where that is faster.
  static std::vector<Tensor> forward_group(const Tensor& x, std::span<const Linear* const> maps,
                                           const ForwardContext& context);
  // activation(gate.forward(x)) * up.forward(x).
  static Tensor forward_gated(const Tensor& x, const Linear& gate, const Linear& up,
                              ops::Activation activation, const ForwardContext& context);

 private:
  // What ops::linear_group takes for x without adapters; tells the observer.
  ops::LinearMap map(const Tensor& x, const ForwardContext& context) const;

  Parameter weight_;
  std::optional<Parameter> bias_;
};

}  // namespace quern::nn
