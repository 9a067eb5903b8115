#include "train/tuning.h"

#include <cmath>

#include "base/rng.h"

namespace quern::train {

namespace {

constexpr uint64_t kNoise = 0x4E4546;  // apart from the draws of dropout

// f32 [B, T, C]. A function of the seed and the micro-batch: a run that goes on draws the same.
Tensor embedding_noise(const Tensor& positions, const TuningOptions& options, int64_t micro_batches) {
  const auto places = positions.span<int32_t>();
  const int64_t row = positions.dim(1), channels = options.embedding_size;
  Tensor noise({positions.dim(0), row, channels}, DType::f32);
  float* const values = noise.data<float>();
  Rng rng(options.seed ^ kNoise, static_cast<uint64_t>(micro_batches));
  const auto count = static_cast<int64_t>(places.size());
  for (int64_t begin = 0, end = 0; begin < count; begin = end) {
    // An example goes on until a row ends or positions start again.
    for (end = begin + 1; end < count && end % row != 0 && places[static_cast<size_t>(end)] != 0;) ++end;
    const double most = options.embedding_noise / std::sqrt(static_cast<double>((end - begin) * channels));
    for (int64_t i = begin * channels; i < end * channels; ++i)
      values[i] = static_cast<float>(most * (2.0 * rng.uniform() - 1.0));
  }
  return noise;
}

}  // namespace

nn::ForwardContext training_context(const data::SupervisedBatch& batch, const TuningOptions& options,
                                    int64_t micro_batches) {
  nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
  context.checkpoint = options.checkpointing;
  context.dropout = {
      .enabled = options.dropout > 0.0, .seed = options.seed, .step = static_cast<uint64_t>(micro_batches)};
  if (options.embedding_noise > 0.0)
    context.embedding_noise = embedding_noise(batch.positions, options, micro_batches);
  return context;
}

}  // namespace quern::train
