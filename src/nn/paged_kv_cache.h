// Keys and values of many sequences in blocks of one pool (Kwon et al. 2023, PagedAttention, arXiv 2309.06180). Who holds
// which block is somebody else's business: a pass names the blocks of each of its sequences.
#pragma once

#include <span>
#include <vector>

#include "nn/kv_cache.h"

namespace quern::nn {

struct PagedKvSpec {
  int64_t layers = 0, blocks = 0, kv_heads = 0, head_dim = 0;
  DType dtype = DType::f32;  // as KvCacheSpec

  int64_t block_bytes() const;  // of all layers
  int64_t bytes() const { return blocks * block_bytes(); }
};

// The tokens [begin, begin + count) of one sequence. Token i of the sequence lies in block blocks[i / 64].
struct KvPiece {
  std::span<const int32_t> blocks;
  int64_t begin = 0;
  int64_t count = 0;
};

// Not thread-safe. The bits of a token do not depend on the other pieces of its pass, nor on where blocks lie.
class PagedKvCache final : public KvCache {
 public:
  // Throws ShapeError on a dtype that cannot be.
  explicit PagedKvCache(const PagedKvSpec& spec);

  const PagedKvSpec& spec() const { return spec_; }

  // The context of a forward pass over one row [1, N] that holds the pieces one after the other; N > 0. Valid, like the
  // blocks it names, until the next call. Neighbours of equal count are computed together. Throws ShapeError where a
  // piece has no block for a token, or names one outside the pool.
  ForwardContext pass(std::span<const KvPiece> pieces);

  // Of all layers: block `to` becomes what `from` is.
  void copy_block(int32_t from, int32_t to);

  Tensor attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                const ops::AttentionMask& mask, const ForwardContext& context,
                const ops::AttentionOptions& options) override;

 private:
  // Pieces of equal count: [sequences, time] tokens from `first` of the row on.
  struct Group {
    int64_t first = 0, sequences = 0, time = 0;
    Tensor table;  // i32 [sequences, blocks of the longest]
  };
  Tensor attend_group(int64_t layer, const Group& group, const Tensor& q, const Tensor& k, const Tensor& v,
                      const ops::AttentionMask& mask, const ForwardContext& context,
                      const ops::AttentionOptions& options) const;

  PagedKvSpec spec_;
  std::vector<ops::KvStore> stores_;  // per layer; a pass brings its tables
  std::vector<Group> groups_;
};

}  // namespace quern::nn
