#include "nn/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/exception.h"

namespace quern::nn {

using ops::kKvSlots;
using ops::kv_blocks_for;

namespace {

void copy_block(const ops::KvStore& from, int64_t read, const ops::KvStore& to, int64_t write) {
  for (const auto& [source, target] : {std::pair{from.keys, to.keys}, std::pair{from.values, to.values}}) {
    std::memcpy(target.data<uint8_t>() + write * target.dim(1), source.data<uint8_t>() + read * source.dim(1),
                static_cast<size_t>(source.dim(1)));
  }
}

// Block i of sequence b is its block i mod `ring`.
Tensor ring_table(int64_t batch, int64_t row, int64_t ring) {
  Tensor table({batch, row}, DType::i32);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < row; ++i)
      table.data<int32_t>()[b * row + i] = static_cast<int32_t>(b * ring + i % ring);
  }
  return table;
}

}  // namespace

int64_t KvCacheSpec::blocks(int64_t layer) const {
  const int64_t all = kv_blocks_for(capacity);
  const int64_t window = windows.empty() ? 0 : windows[static_cast<size_t>(layer)];
  if (window == 0) return all;
  // The first query of a pass sees window - 1 keys before it; wherever that begins within a block.
  return std::min(all, kv_blocks_for(window - 1 + longest_pass() - 1) + 1);
}

int64_t KvCacheSpec::bytes() const {
  int64_t count = 0;
  for (int64_t layer = 0; layer < layers; ++layer) count += blocks(layer);
  return 2 * batch * count * ops::KvStore::block_bytes(kv_heads, head_dim, dtype);
}

ContiguousKvCache::ContiguousKvCache(const KvCacheSpec& spec)
    : spec_(spec),
      lengths_(static_cast<size_t>(spec.batch), 0),
      written_(static_cast<size_t>(spec.batch), 0) {
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    const int64_t blocks = spec.blocks(layer);
    stores_.push_back(ops::KvStore::create(
        spec.batch * blocks, spec.kv_heads, spec.head_dim, spec.dtype,
        ring_table(spec.batch, kv_blocks_for(spec.capacity), std::max<int64_t>(blocks, 1))));
  }
}

int64_t ContiguousKvCache::bytes() const {
  int64_t bytes = 0;
  for (const ops::KvStore& store : stores_) bytes += store.bytes();
  return bytes;
}

ForwardContext ContiguousKvCache::next(int64_t time) {
  if (time > spec_.longest_pass()) {
    throw ShapeError("[kv_cache] expected at most " + std::to_string(spec_.longest_pass()) +
                     " tokens at once, got " + std::to_string(time));
  }
  ForwardContext context;
  const Shape shape{spec_.batch, time};
  context.positions = Tensor(shape, DType::i32);
  context.mask = {Tensor::zeros(shape, DType::i32), Tensor(shape, DType::i32)};
  context.cache = this;
  for (int64_t b = 0; b < spec_.batch; ++b) {
    if (length(b) + time > spec_.capacity) {
      throw ShapeError("[kv_cache] expected at most " + std::to_string(spec_.capacity) + " tokens, got " +
                       std::to_string(length(b)) + " + " + std::to_string(time));
    }
    for (int64_t t = 0; t < time; ++t) {
      const auto position = static_cast<int32_t>(length(b) + t);
      context.positions.data<int32_t>()[b * time + t] = position;
      context.mask.end.data<int32_t>()[b * time + t] = position + 1;
    }
    written_[static_cast<size_t>(b)] = std::max(written_[static_cast<size_t>(b)], length(b) + time);
  }
  return context;
}

void ContiguousKvCache::commit(int64_t time) {
  for (int64_t& length : lengths_) length += time;
}

// The first token of sequence b whose keys the ring of `layer` still holds, with all that follow it.
int64_t ContiguousKvCache::first_kept(int64_t layer, int64_t b) const {
  const int64_t last_block = (written_[static_cast<size_t>(b)] - 1) / kKvSlots;
  return std::max<int64_t>(0, last_block - spec_.blocks(layer) + 1) * kKvSlots;
}

int64_t ContiguousKvCache::truncate(int64_t b, int64_t length) {
  int64_t& held = lengths_[static_cast<size_t>(b)];
  if (length >= held) return held;
  expect_own(length);
  for (int64_t layer = 0; layer < static_cast<int64_t>(spec_.windows.size()); ++layer) {
    const int64_t window = spec_.windows[static_cast<size_t>(layer)];
    if (window > 0 && std::max<int64_t>(0, length - window + 1) < first_kept(layer, b)) length = 0;
  }
  if (length == 0) written_[static_cast<size_t>(b)] = 0;
  return held = length;
}

void ContiguousKvCache::drop(int64_t b, int64_t begin, int64_t end,
                             const std::function<Tensor(int64_t, const Tensor&)>& turn) {
  int64_t& held = lengths_[static_cast<size_t>(b)];
  if (begin < 0 || begin > end || end > held) {
    throw ShapeError("[kv_cache] expected a range of the " + std::to_string(held) + " tokens, got " +
                     std::to_string(begin) + " to " + std::to_string(end));
  }
  expect_own(begin);
  for (int64_t layer = 0; layer < spec_.layers; ++layer) {
    const ops::KvStore& store = stores_[static_cast<size_t>(layer)];
    // A ring keeps the last tokens only, and no query will look further back than they reach.
    const int64_t first = std::max(end, first_kept(layer, b));
    const auto [keys, values] = ops::load_kv(store, b, first, held);
    Tensor positions({1, held - first}, DType::i32);
    for (int64_t i = 0; i < held - first; ++i)
      positions.data<int32_t>()[i] = static_cast<int32_t>(first + i - (end - begin));
    ops::KvStore one = store;
    one.table = store.table.sliced(b, b + 1);
    ops::store_kv(one, turn(layer, keys), values, positions);
  }
  held -= end - begin;
}

bool ContiguousKvCache::is_ring(int64_t layer) const {
  return spec_.blocks(layer) < kv_blocks_for(spec_.capacity);
}

void ContiguousKvCache::expect_own(int64_t length) const {
  if (length >= shared_) return;
  throw ShapeError("[kv_cache] expected at least the " + std::to_string(shared_) +
                   " tokens that sequences may share, got " + std::to_string(length));
}

void ContiguousKvCache::fork(const ContiguousKvCache& source, int64_t b) {
  const int64_t length = source.length(b);
  if (spec_.layers != source.spec_.layers || spec_.dtype != source.spec_.dtype ||
      spec_.windows != source.spec_.windows || length > spec_.capacity) {
    throw ShapeError("[kv_cache] expected a cache like that of the sequence of " + std::to_string(length) +
                     " tokens, with room for it");
  }
  const int64_t written = source.written_[static_cast<size_t>(b)];
  for (int64_t layer = 0; layer < spec_.layers; ++layer) {
    const ops::KvStore& from = source.stores_[static_cast<size_t>(layer)];
    const ops::KvStore& to = stores_[static_cast<size_t>(layer)];
    const int64_t kept = length == 0 ? 0 : source.first_kept(layer, b) / kKvSlots;
    for (int64_t block = kept; block < kv_blocks_for(length); ++block) {
      const int64_t read = from.table.data<int32_t>()[b * from.table.dim(1) + block];
      copy_block(from, read, to, to.table.data<int32_t>()[block]);
    }
  }
  std::ranges::fill(lengths_, length);
  std::ranges::fill(written_, std::min(written, spec_.capacity));
  reorder(std::vector<int64_t>(lengths_.size(), 0));
}

void ContiguousKvCache::reorder(std::span<const int64_t> from) {
  const int64_t held = length(0);
  if (static_cast<int64_t>(from.size()) != spec_.batch ||
      std::ranges::any_of(from, [&](int64_t b) { return b < 0 || b >= spec_.batch; }) ||
      std::ranges::any_of(lengths_, [&](int64_t length) { return length != held; })) {
    throw ShapeError("[kv_cache] expected a source for each of " + std::to_string(spec_.batch) +
                     " sequences of one length");
  }
  for (int64_t layer = 0; layer < spec_.layers; ++layer) {
    const int64_t slots = std::min(kv_blocks_for(held), spec_.blocks(layer));
    for (int64_t slot = 0; slot < slots; ++slot) reorder_slot(layer, slot, from);
  }
  shared_ = held;
}

// A block that is full is never written again outside a ring: sequences share it. Of another one each has its own: the
// first to ask for it takes it as it is, the others copy it into those that nobody asked for.
void ContiguousKvCache::reorder_slot(int64_t layer, int64_t slot, std::span<const int64_t> from) {
  const ops::KvStore& store = stores_[static_cast<size_t>(layer)];
  const int64_t row = store.table.dim(1), ring = spec_.blocks(layer);
  int32_t* table = store.table.data<int32_t>();
  std::vector<int32_t> before, after;
  for (int64_t b = 0; b < spec_.batch; ++b) before.push_back(table[b * row + slot]);
  for (const int64_t b : from) after.push_back(before[static_cast<size_t>(b)]);
  if (is_ring(layer) || (slot + 1) * kKvSlots > length(0)) {
    std::vector<int32_t> taken, copies;
    for (const int32_t block : after) {
      if (std::ranges::find(taken, block) == taken.end()) taken.push_back(block);
    }
    std::ranges::copy_if(before, std::back_inserter(copies),
                         [&](int32_t block) { return std::ranges::find(taken, block) == taken.end(); });
    for (int32_t& block : after) {
      const auto owned = std::ranges::find(taken, block);
      if (owned != taken.end()) {
        taken.erase(owned);
        continue;
      }
      copy_block(store, block, store, copies.back());
      block = copies.back();
      copies.pop_back();
    }
  }
  for (int64_t b = 0; b < spec_.batch; ++b) {
    for (int64_t i = slot; i < row; i += ring) table[b * row + i] = after[static_cast<size_t>(b)];
  }
}

Tensor ContiguousKvCache::attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                                 const ops::AttentionMask& mask, const ForwardContext& context,
                                 const ops::AttentionOptions& options) {
  const ops::KvStore& store = stores_[static_cast<size_t>(layer)];
  ops::store_kv(store, k, v, context.positions);
  return ops::attention(q, store, mask, options);
}

}  // namespace quern::nn
