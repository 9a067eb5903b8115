// The activations that Quern's engine keeps between forward and backward.
#pragma once

#include <cstdint>

#include "model/config.h"

namespace quern::plan {

// Bytes for one forward pass over B sequences of T tokens. The tape keeps the inputs of every op until its
// backward has run, so each op's output counts once, with the statistics that ops/*.cpp save beside it.
// Attention is tiled and keeps one number per row and head, never T x T (Dao et al. 2022, arXiv 2205.14135);
// the loss keeps the gradient of its input, never [B, T, V].
struct ActivationMemory {
  int64_t layers = 0;
  int64_t block = 0;         // kept by the largest block, its output included
  int64_t blocks = 0;        // by all of them
  int64_t block_output = 0;  // [B, T, C]
  int64_t outside = 0;       // embeddings, final norm, loss, positions and mask
  int64_t logits = 0;        // a chunk of rows of logits while the loss is computed

  // With checkpointing a block keeps its output only; one at a time is computed again (Chen et al. 2016,
  // arXiv 1604.06174).
  int64_t kept(bool checkpointing) const {
    return outside + (checkpointing ? layers * block_output : blocks);
  }
  // The most at once: what is kept, and either the logits of the loss or the block at work in backward.
  int64_t peak(bool checkpointing) const;
};

// `dtype` is that of activations. Preconditions: a valid config, batch and sequence at least 1.
ActivationMemory activation_memory(const model::ModelConfig& config, int64_t batch, int64_t sequence,
                                   DType dtype);

}  // namespace quern::plan
