#include "ops/softcap.h"

#include "ops/activation.h"
#include "ops/op_support.h"
#include "ops/scale.h"

namespace quern::ops {

Tensor softcap(const Tensor& x, double cap) {
  expect(cap > 0.0, "softcap", "a cap > 0, got {}", cap);
  return scale(activation(Activation::tanh, scale(x, 1.0 / cap)), cap);
}

}  // namespace quern::ops
