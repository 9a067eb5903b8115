// Keys and values of past tokens, so that a new token attends without computing them again.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "nn/context.h"
#include "ops/kv_store.h"

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

struct KvCacheSpec {
  int64_t layers = 0, batch = 0, capacity = 0, kv_heads = 0, head_dim = 0;
  DType dtype = DType::f32;  // f32, f16, bf16, or q8_0 where 32 divides head_dim
  // Keys a query of each layer sees at most, 0 for all; empty: all in every layer. A layer with a window keeps no more
  // than it and a chunk need.
  std::vector<int64_t> windows = {};
  int64_t chunk = 0;  // tokens of one forward pass at most; 0: the capacity

  int64_t longest_pass() const { return chunk > 0 && chunk < capacity ? chunk : capacity; }
  // Blocks of 64 tokens that a sequence has in `layer`.
  int64_t blocks(int64_t layer) const;
  // Of all layers and sequences.
  int64_t bytes() const;
};

// One run of slots per sequence, as long as the capacity, or a ring where a layer has a window. Not thread-safe.
class ContiguousKvCache final : public KvCache {
 public:
  // Throws ShapeError on a dtype that cannot be.
  explicit ContiguousKvCache(const KvCacheSpec& spec);

  const KvCacheSpec& spec() const { return spec_; }
  int64_t batch() const { return spec_.batch; }
  int64_t capacity() const { return spec_.capacity; }
  int64_t bytes() const;  // of memory
  // Tokens held by sequence b.
  int64_t length(int64_t b) const { return lengths_[static_cast<size_t>(b)]; }

  // The context of a forward pass over the next `time` tokens of every sequence (prefill: the prompt; decode:
  // 1). Throws ShapeError when they do not fit. commit(time) afterwards makes them part of the past.
  ForwardContext next(int64_t time);
  void commit(int64_t time);
  // Forgets what sequence b holds past `length` (a rejected draft, an edited prompt), and returns what it holds then:
  // nothing where a window would reach back to keys that a ring has given up.
  int64_t truncate(int64_t b, int64_t length);

  // Forgets tokens [begin, end) of sequence b and moves those after them to their places. `turn` gives keys f32 [1, T,
  // K, D] of a layer as they are at positions lower by end - begin. An approximation: what is kept was computed in
  // sight of what is forgotten.
  void drop(int64_t b, int64_t begin, int64_t end,
            const std::function<Tensor(int64_t layer, const Tensor& keys)>& turn);

  // Every sequence becomes a copy of sequence b of `source`, a cache of the same layers, heads, windows and dtype. Throws
  // ShapeError where that does not fit.
  void fork(const ContiguousKvCache& source, int64_t b);
  // Sequence b becomes what sequence from[b] was; all hold as many tokens. They share the blocks that are full, so that
  // little is copied; what they hold then can no longer be cut (truncate, drop).
  void reorder(std::span<const int64_t> from);

  Tensor attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                const ops::AttentionMask& mask, const ForwardContext& context,
                const ops::AttentionOptions& options) override;

 private:
  bool is_ring(int64_t layer) const;
  void expect_own(int64_t length) const;
  void reorder_slot(int64_t layer, int64_t slot, std::span<const int64_t> from);
  int64_t first_kept(int64_t layer, int64_t b) const;

  KvCacheSpec spec_;
  std::vector<int64_t> lengths_;
  std::vector<int64_t> written_;  // per sequence: the end of what its rings have held since they were empty
  int64_t shared_ = 0;            // tokens that sequences may share since reorder()
  std::vector<ops::KvStore> stores_;  // per layer
};

}  // namespace quern::nn
