// The position-wise half of a block.
#pragma once

#include <optional>

#include "nn/linear.h"
#include "ops/activation.h"

namespace quern::nn {

struct MlpSpec {
  int64_t hidden = 0;
  int64_t intermediate = 0;
  ops::Activation activation = ops::Activation::gelu_tanh;
  bool gated = false;  // act(gate(x)) * up(x): SwiGLU, GeGLU (arXiv 2002.05202)
  bool bias = true;
  double init_std = 0.02;
  double init_std_residual = 0.02;  // of the projection that writes to the residual stream
};

// down(act(up(x))), or down(act(gate(x)) * up(x)) when gated.
class Mlp final : public Module {
 public:
  explicit Mlp(const MlpSpec& spec);

  // x [B, T, C] -> [B, T, C]
  Tensor forward(const Tensor& x, const ForwardContext& context) const;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

 private:
  ops::Activation activation_;
  std::optional<Linear> gate_;
  Linear up_;
  Linear down_;
};

}  // namespace quern::nn
