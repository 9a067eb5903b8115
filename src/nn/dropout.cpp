#include "nn/dropout.h"

#include "ops/dropout.h"

namespace quern::nn {

Tensor dropout(const Tensor& x, double p, const DropoutState& state, uint64_t site) {
  return state.enabled && p > 0.0 ? ops::dropout(x, p, state.seed, state.stream(site)) : x;
}

}  // namespace quern::nn
