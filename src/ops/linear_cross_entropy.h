// The loss of a language model, fused with its output projection.
#pragma once

#include "ops/output_head.h"

namespace quern::ops {

// Bytes of wide logits computed at a time, unless CrossEntropyOptions says otherwise, and the fewest rows of them.
inline constexpr int64_t kLogitChunkBytes = int64_t{128} << 20, kFewestLogitRows = 64;

struct CrossEntropyOptions {
  Tensor weights = {};   // wide [N]: the factor of each row; undefined = 1. Pass 1/valid rows for a mean
  Tensor bias = {};      // wide [V], added to the logits; undefined = none
  double softcap = 0.0;  // logits become softcap * tanh(logit / softcap) when > 0 (Gemma 2)
  ReplacedRows replaced = {};  // rows in place of some of w
  int64_t chunk_rows = 0;      // rows of logits computed at a time; 0 = kLogitChunkBytes of them
  // e: the target stands for 1 - e, and each of the V classes for e / V beside it (Szegedy et al. 2016, arXiv 1512.00567), as
  // cross_entropy of PyTorch and LabelSmoother of transformers have it. In [0, 1); not with a softcap.
  double label_smoothing = 0.0;
};

// sum over rows of weight * -log softmax(h · w^T + bias)[target], a wide scalar [], with h [N, C], w [V, C] of any
// floating dtype, or in blocks and frozen, and targets i32 [N]. A row with a negative target or a weight of 0 is left
// out: no loss, no gradient, no logits. Logits are computed in chunks of rows in the wide dtype and [N, V] never exists;
// when recorded, the gradients are made chunk by chunk on the way (as in Hsu et al. 2024, Liger Kernel, arXiv
// 2410.10989). Throws ShapeError. Differentiable in h, w, bias and replaced.rows.
Tensor linear_cross_entropy(const Tensor& h, const Tensor& w, const Tensor& targets,
                            const CrossEntropyOptions& options = {});

// wide [N]: the loss of each row, -log softmax(h · w^T + bias)[target] in nats, 0 where the target is negative: for
// objectives that are no weighted sum of them. Computes the logits once more on the way back. options.weights must be
// undefined; otherwise as linear_cross_entropy.
Tensor linear_row_losses(const Tensor& h, const Tensor& w, const Tensor& targets,
                         const CrossEntropyOptions& options = {});

}  // namespace quern::ops
