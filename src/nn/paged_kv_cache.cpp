#include "nn/paged_kv_cache.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/exception.h"

namespace quern::nn {

using ops::kv_blocks_for;

namespace {

void expect_piece(const KvPiece& piece, int64_t blocks) {
  const int64_t needed = kv_blocks_for(piece.begin + piece.count);
  if (piece.begin < 0 || piece.count < 1 || needed > static_cast<int64_t>(piece.blocks.size())) {
    throw ShapeError("[paged_kv_cache] expected blocks for tokens " + std::to_string(piece.begin) + " to " +
                     std::to_string(piece.begin + piece.count) + ", got " +
                     std::to_string(piece.blocks.size()));
  }
  const auto held = piece.blocks.first(static_cast<size_t>(needed));
  if (std::ranges::any_of(held, [&](int32_t block) { return block < 0 || block >= blocks; }))
    throw ShapeError("[paged_kv_cache] expected blocks below " + std::to_string(blocks));
}

// A row per piece, as wide as the longest; what a piece does not reach names block 0, which its mask hides.
Tensor table_of(std::span<const KvPiece> pieces) {
  int64_t width = 0;
  for (const KvPiece& piece : pieces) width = std::max(width, kv_blocks_for(piece.begin + piece.count));
  Tensor table = Tensor::zeros({static_cast<int64_t>(pieces.size()), width}, DType::i32);
  int32_t* row = table.data<int32_t>();
  for (const KvPiece& piece : pieces) {
    std::copy_n(piece.blocks.begin(), kv_blocks_for(piece.begin + piece.count), row);
    row += width;
  }
  return table;
}

}  // namespace

int64_t PagedKvSpec::block_bytes() const {
  return 2 * layers * ops::KvStore::block_bytes(kv_heads, head_dim, dtype);
}

PagedKvCache::PagedKvCache(const PagedKvSpec& spec) : spec_(spec) {
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    stores_.push_back(ops::KvStore::create(spec.blocks, spec.kv_heads, spec.head_dim, spec.dtype,
                                           Tensor::zeros({1, 1}, DType::i32)));
  }
}

ForwardContext PagedKvCache::pass(std::span<const KvPiece> pieces) {
  int64_t tokens = 0;
  for (const KvPiece& piece : pieces) {
    expect_piece(piece, spec_.blocks);
    tokens += piece.count;
  }
  if (tokens == 0) throw ShapeError("[paged_kv_cache] expected tokens, got none");
  ForwardContext context;
  context.positions = Tensor({1, tokens}, DType::i32);
  context.mask = {Tensor::zeros({1, tokens}, DType::i32), Tensor({1, tokens}, DType::i32)};
  context.cache = this;
  int32_t* position = context.positions.data<int32_t>();
  int32_t* end = context.mask.end.data<int32_t>();
  groups_.clear();
  int64_t first = 0;
  for (size_t i = 0; i < pieces.size();) {
    size_t next = i + 1;
    while (next < pieces.size() && pieces[next].count == pieces[i].count) ++next;
    const auto alike = pieces.subspan(i, next - i);
    groups_.push_back({.first = first,
                       .sequences = static_cast<int64_t>(alike.size()),
                       .time = pieces[i].count,
                       .table = table_of(alike)});
    for (const KvPiece& piece : alike) {
      for (int64_t t = 0; t < piece.count; ++t) {
        *position++ = static_cast<int32_t>(piece.begin + t);
        *end++ = static_cast<int32_t>(piece.begin + t + 1);
      }
      first += piece.count;
    }
    i = next;
  }
  return context;
}

void PagedKvCache::copy_block(int32_t from, int32_t to) {
  for (const ops::KvStore& store : stores_) {
    for (const Tensor& part : {store.keys, store.values}) {
      const int64_t bytes = part.dim(1);
      std::memcpy(part.data<uint8_t>() + to * bytes, part.data<uint8_t>() + from * bytes,
                  static_cast<size_t>(bytes));
    }
  }
}

Tensor PagedKvCache::attend_group(int64_t layer, const Group& group, const Tensor& q, const Tensor& k,
                                  const Tensor& v, const ops::AttentionMask& mask,
                                  const ForwardContext& context, const ops::AttentionOptions& options) const {
  const int64_t end = group.first + group.sequences * group.time;
  // [1, N, ...] -> [sequences, time, ...]
  const auto own = [&](const Tensor& row) {
    const auto given = row.shape().extents();
    std::vector<int64_t> extents(given.begin(), given.end());
    const Tensor tokens = row.reshaped(Shape(std::span(extents).subspan(1))).sliced(group.first, end);
    extents[0] = group.sequences;
    extents[1] = group.time;
    return tokens.reshaped(Shape(extents));
  };
  ops::KvStore store = stores_[static_cast<size_t>(layer)];
  store.table = group.table;
  ops::store_kv(store, own(k), own(v), own(context.positions));
  return ops::attention(own(q), store, {own(mask.begin), own(mask.end)}, options);
}

Tensor PagedKvCache::attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                            const ops::AttentionMask& mask, const ForwardContext& context,
                            const ops::AttentionOptions& options) {
  if (groups_.size() == 1)
    return attend_group(layer, groups_[0], q, k, v, mask, context, options).reshaped(q.shape());
  Tensor y(q.shape(), q.dtype());
  char* target = static_cast<char*>(y.raw());
  for (const Group& group : groups_) {
    const Tensor part = attend_group(layer, group, q, k, v, mask, context, options);
    std::memcpy(target, part.raw(), static_cast<size_t>(part.bytes()));
    target += part.bytes();
  }
  return y;
}

}  // namespace quern::nn
