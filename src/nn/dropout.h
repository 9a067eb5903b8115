// Dropout at a named place of the model.
#pragma once

#include "nn/context.h"

namespace quern::nn {

// x with elements zeroed with probability `p` and the rest scaled by 1/(1-p); x itself when the state is off
// or p is 0. `site` names the place in the model (see DropoutState::stream).
Tensor dropout(const Tensor& x, double p, const DropoutState& state, uint64_t site);

}  // namespace quern::nn
