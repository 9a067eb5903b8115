#include "train/tuning.h"

namespace quern::train {

nn::ForwardContext training_context(const data::SupervisedBatch& batch, const TuningOptions& options,
                                    int64_t micro_batches) {
  nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
  context.checkpoint = options.checkpointing;
  context.dropout = {
      .enabled = options.dropout > 0.0, .seed = options.seed, .step = static_cast<uint64_t>(micro_batches)};
  return context;
}

}  // namespace quern::train
