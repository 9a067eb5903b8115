// Learned biases of attention by the distance of key and query, in buckets that widen with it (Raffel et al. 2020, T5,
// arXiv 1910.10683; MPNet uses the same).
#pragma once

#include "nn/embedding.h"

namespace quern::nn {

struct RelativePositionSpec {
  int64_t heads = 0;
  int64_t buckets = 32;
  int64_t max_distance = 128;  // from here on, one bucket
  bool bidirectional =
      true;  // half of the buckets for keys after the query; else these share that of distance 0
  double init_std = 0.02;
};

// The bucket, in [0, buckets), of a key `offset` tokens after its query (before it when negative).
int64_t relative_bucket(int64_t offset, const RelativePositionSpec& spec);

class RelativePositions final : public Module {
 public:
  explicit RelativePositions(const RelativePositionSpec& spec)
      : spec_(spec), table_(spec.buckets, spec.heads, spec.init_std) {}

  // What ops::AttentionOptions::bias adds for queries at `positions` (i32 [B, T]) over keys at 0 to keys - 1, in
  // `dtype` (wide): [B, H, T, S], or [1, H, T, S] where all sequences have their queries at the same places.
  // Differentiable in the table.
  Tensor bias(const Tensor& positions, int64_t keys, DType dtype = DType::f32) const;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override {
    table_.visit(visitor, prefix);
  }

 private:
  RelativePositionSpec spec_;
  Embedding table_;  // [buckets, H]
};

}  // namespace quern::nn
