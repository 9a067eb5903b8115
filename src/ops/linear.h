// The affine map every projection is made of.
#pragma once

#include <span>
#include <vector>

#include "ops/activation.h"
#include "tensor/tensor.h"

namespace quern::ops {

// y[..., N] = x[..., K] · w[N, K]^T + bias[N]. y has the dtype of x; w may be of any floating dtype; bias is
// wide (f32, or f64 for f64 x) or undefined. Throws ShapeError. Differentiable in x, w and bias. A call that
// is not recorded and has at most kInvariantRows rows, or runs under BatchInvariant, sums in an order that
// does not depend on the other rows.
//
// w may also be block-quantised, and is frozen then. A call that is not recorded rounds each row of x to 8 bits
// (backend::LinearBlocksArgs) and never depends on the other rows; a recorded one decodes w to the dtype of x.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

// The factors of a linear map. `strips`, when defined, is pack_strips(weight).
struct LinearMap {
  Tensor weight;
  Tensor bias;
  Tensor strips;
};

// linear() of each map. Block-quantised maps of one unrecorded x share its rounding and one pass over the
// threads, which is what small models wait for.
std::vector<Tensor> linear_group(const Tensor& x, std::span<const LinearMap> maps);
// activation(linear(x, gate)) * linear(x, up), in one pass under the same conditions.
Tensor gated_linear(const Tensor& x, const LinearMap& gate, const LinearMap& up, Activation activation);

// A block-quantised matrix as products read it fastest: u8 bytes in the layout of tensor/strips.h. Undefined where the
// active kernels or its shape have no such layout.
Tensor pack_strips(const Tensor& w);

inline constexpr int64_t kInvariantRows = 16;

// While one lives on this thread, every unrecorded linear computes each row as if it were alone, whatever the
// batch: serving gives the same bits to a request in any company, and to a prompt prefilled whole or in
// pieces.
class BatchInvariant {
 public:
  BatchInvariant();
  ~BatchInvariant();
  BatchInvariant(const BatchInvariant&) = delete;
  BatchInvariant& operator=(const BatchInvariant&) = delete;

 private:
  bool previous_;
};

}  // namespace quern::ops
