// Layer and RMS normalisation with their learned scale and shift.
#pragma once

#include <optional>

#include "nn/module.h"
#include "ops/norm.h"

namespace quern::nn {

struct NormSpec {
  ops::NormKind kind = ops::NormKind::layer;
  double eps = 1e-5;
  double weight_offset = 0.0;  // added to every weight: 1 where files hold w - 1 (Gemma)
  bool bias = true;            // layer norms only
};

class Norm final : public Module {
 public:
  // Starts as the plain normalisation: scale 1, shift 0.
  Norm(int64_t channels, const NormSpec& spec);

  // Over the last dimension of x[..., channels].
  Tensor forward(const Tensor& x) const;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

 private:
  NormSpec spec_;
  Parameter weight_;
  std::optional<Parameter> bias_;
};

}  // namespace quern::nn
