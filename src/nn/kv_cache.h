// Keys and values of past tokens, so that a new token attends without computing them again.
#pragma once

#include <span>
#include <vector>

#include "nn/context.h"

namespace quern::nn {

// How attention reaches the past. A block hands over the queries, keys and values of this call and gets back
// what the queries see; it cannot tell how keys are stored.
class KvCache {
 public:
  virtual ~KvCache() = default;
  // Stores k and v ([B, T, K, D]) of `layer` at context.positions, then attends q ([B, T, H, D]) over the
  // keys that `mask` (context.mask, narrowed to the layer's window) shows. Returns [B, T, H, D] in q's dtype.
  virtual Tensor attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                        const ops::AttentionMask& mask, const ForwardContext& context,
                        const ops::AttentionOptions& options) = 0;
};

// One dense run of slots per sequence: [B, capacity, K, D] for each layer. Not thread-safe.
class ContiguousKvCache final : public KvCache {
 public:
  struct Spec {
    int64_t layers, batch, capacity, kv_heads, head_dim;
    DType dtype = DType::f32;  // f32, bf16 or f16
  };
  explicit ContiguousKvCache(const Spec& spec);

  int64_t batch() const { return spec_.batch; }
  int64_t capacity() const { return spec_.capacity; }
  // Tokens held by sequence b.
  int64_t length(int64_t b) const { return lengths_[static_cast<size_t>(b)]; }
  int64_t bytes() const;

  // The context of a forward pass over the next `time` tokens of every sequence (prefill: the prompt; decode:
  // 1). Throws ShapeError when they do not fit. commit(time) afterwards makes them part of the past.
  ForwardContext next(int64_t time);
  void commit(int64_t time);
  // Forgets what sequence b holds past `length` (a rejected draft, an edited prompt).
  void truncate(int64_t b, int64_t length);

  Tensor attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                const ops::AttentionMask& mask, const ForwardContext& context,
                const ops::AttentionOptions& options) override;

 private:
  Spec spec_;
  std::vector<int64_t> lengths_;
  std::vector<Tensor> keys_;    // per layer [B, capacity, K, D]
  std::vector<Tensor> values_;  // per layer [B, capacity, K, D]
};

}  // namespace quern::nn
