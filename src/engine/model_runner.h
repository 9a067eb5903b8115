// A model beside the blocks of its cache: computes what a plan says.
#pragma once

#include <span>
#include <vector>

#include "engine/scheduler.h"
#include "model/decoder.h"
#include "nn/paged_kv_cache.h"

namespace quern::engine {

// A model that the engine's cache can serve: decoders without an encoder beside them, and without a bias that depends on
// both ends of a distance (T5). unsupported otherwise.
Result<void> check_model(const model::Decoder& model);

// Not thread-safe. The bits of a row of logits depend on its sequence alone.
class ModelRunner {
 public:
  // A cache of so many blocks, in model.cache_dtype(). The model must outlive it. Precondition: check_model().
  ModelRunner(const model::Decoder& model, int64_t blocks);

  // Sequences whose keys turn by the length of their text share blocks with those of the same rotary length only.
  int64_t rope_length(int64_t tokens) const { return ops::rope_length(model_.config().rope, tokens); }

  // What a pass needs of a sequence.
  struct Row {
    std::span<const int32_t> tokens;  // all of the sequence, so far
    std::span<const int32_t> blocks;
    int64_t begin = 0, count = 0;  // to compute
    int64_t wanted = 0;            // logits of so many last tokens of them
    const nn::Adapter* adapter = nullptr;
  };
  // Logits f32 [sum of wanted, V] in order of the rows. Blocks hold the keys of all that was computed.
  Tensor run(std::span<const Row> rows);
  void copy_block(const Plan::Copy& copy) { cache_.copy_block(copy.from, copy.to); }

  int64_t cache_bytes() const { return cache_.spec().bytes(); }

 private:
  Tensor run_alike(std::span<const Row> rows, int64_t text_length);

  const model::Decoder& model_;
  nn::PagedKvCache cache_;
};

}  // namespace quern::engine
