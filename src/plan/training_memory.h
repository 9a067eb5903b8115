// Memory of training: all parameters, low-rank adapters, or adapters on a 4-bit model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/decoder.h"
#include "plan/activations.h"

namespace quern::plan {

enum class TrainingMethod {
  full,   // every parameter, AdamW with f32 masters and moments
  lora,   // rank-r adapters on a frozen 16-bit or f32 model (Hu et al. 2021, arXiv 2106.09685)
  qlora,  // the same on NF4 blocks with double quantisation (Dettmers et al. 2023, arXiv 2305.14314)
};

struct TrainingSetup {
  int64_t batch = 1;     // sequences in one forward pass
  int64_t sequence = 1;  // tokens in each
  DType dtype = DType::bf16;
  int64_t rank = 16;                 // of adapters
  std::vector<std::string> targets;  // projections with adapters: q, k, v, o, gate, up, down; empty: all
};

// Bits per weight of NF4: 4, one 8-bit scale per 64 weights, one f32 per 256 scales (arXiv 2305.14314,
// section 3).
inline constexpr double kNf4Bits = 4.0 + 8.0 / 64 + 32.0 / (64 * 256);

// Bytes, at the most at once.
struct TrainingMemory {
  int64_t trainable = 0;  // parameters, not bytes
  int64_t weights = 0;    // f32 masters of what trains; frozen weights as they are kept
  int64_t copies = 0;     // 16-bit copies of trainable matrices
  int64_t gradients = 0;  // f32
  int64_t moments = 0;    // two f32 per trainable parameter (AdamW)
  int64_t workspace = 0;  // gradient of the head inside the loss; a 4-bit matrix while it is unpacked
  int64_t activations = 0;
  int64_t checkpointed_activations = 0;  // the same with activation checkpointing

  int64_t state() const { return weights + copies + gradients + moments + workspace; }
  int64_t total(bool checkpointing) const {
    return state() + (checkpointing ? checkpointed_activations : activations);
  }
};

// invalid_argument for a projection that the model does not have, names those it has.
Result<TrainingMemory> training_memory(const model::Decoder& model, const TrainingSetup& setup,
                                       TrainingMethod method);

}  // namespace quern::plan
