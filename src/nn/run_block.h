// A block as a model runs it: at once, or so that backward computes it again.
#pragma once

#include "nn/block.h"

namespace quern::nn {

// block.forward(x, context), of the `layer`-th block. Where context.checkpoint is on, its inputs alone are kept (x, and what
// else of the context has a gradient: biases, vectors of distances, keys and values of a source), and backward computes it
// again (Chen et al. 2016, arXiv 1604.06174). The block must live until then.
Tensor run_block(const Block& block, int64_t layer, const Tensor& x, const ForwardContext& context);

}  // namespace quern::nn
