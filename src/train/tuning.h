// What all kinds of tuning have in common.
#pragma once

#include <cstdint>

#include "data/supervised_sampler.h"
#include "nn/context.h"

namespace quern::train {

struct TuningOptions {
  int64_t batch = 16;  // examples of a step
  bool checkpointing = false;
  uint64_t seed = 0;     // of dropout
  double dropout = 0.0;  // whether any is on: of the model or its adapter
  // NEFTune (Jain et al. 2023, arXiv 2310.05914): uniform noise of up to alpha / sqrt(L C) is added to the embeddings
  // of an example of L tokens, C wide.
  double embedding_noise = 0.0;
  int64_t embedding_size = 0;  // C
};

// Of a pass that is learnt from, the `micro_batches`-th of the run.
nn::ForwardContext training_context(const data::SupervisedBatch& batch, const TuningOptions& options,
                                    int64_t micro_batches);

}  // namespace quern::train
