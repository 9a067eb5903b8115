// Attention by tiles of keys with a running softmax (Dao et al. 2022, arXiv 2205.14135).
#pragma once

#include "backend/cpu/kernels/attention_rows.h"
#include "backend/cpu/kernels/store_kv.kernel.h"
#include "backend/cpu/scratch.h"

namespace quern::backend::cpu::QUERN_ISA {

// Query rows that share one widened copy of a tile of keys and values.
inline constexpr int64_t kQueryTile = 16 * kBlockRows;
// Rows that rather read 16-bit keys and values where they lie.
inline constexpr int64_t kFewRows = 2 * kBlockRows;
// Keys whose softmax is summed by itself, from a multiple of this on, and then joined to that of the keys before: by
// these, few queries over many keys are shared among threads. Whatever the threads, sums are cut in the same places.
inline constexpr int64_t kKeyChunk = 8 * kKeyTile;

// The softmax of a row over some keys, before it is divided by `sum`.
struct RowSums {
  float* y;    // [rows][AttentionTile::row]
  float* top;  // [rows]: the largest score
  float* sum;  // [rows]: of e^(score - top)

  static int64_t floats(int64_t rows, int64_t row) { return rows * row + 2 * round_up(rows, 16); }
  RowSums(float* memory, int64_t rows, int64_t row)
      : y(memory), top(memory + rows * row), sum(top + round_up(rows, 16)) {}

  void clear(int64_t rows, int64_t row) const {
    for (int64_t i = 0; i < rows * row; i += kWidth) Vec(0.0f).store(y + i);
    for (int64_t i = 0; i < rows; ++i) {
      top[i] = -kInfinity;
      sum[i] = 0.0f;
    }
  }
  // Joins what row i found among later keys.
  void join(const RowSums& later, int64_t i, int64_t row) const {
    const float most = top[i] > later.top[i] ? top[i] : later.top[i];
    float factors[round_up(2, kWidth)] = {top[i] - most, later.top[i] - most};
    for (int64_t j = 0; j < 2; j += kWidth) exp(Vec::load(factors + j)).store(factors + j);
    const Vec mine(factors[0]), other(factors[1]);
    for (int64_t d = i * row; d < (i + 1) * row; d += kWidth) {
      fma(Vec::load(y + d), mine, Vec::load(later.y + d) * other).store(y + d);
    }
    sum[i] = sum[i] * factors[0] + later.sum[i] * factors[1];
    top[i] = most;
  }
};

// Working memory of one tile of queries.
struct AttentionTile {
  int64_t row;    // floats of a head vector, padded to whole vectors
  float* keys;    // [D][kKeyTile]
  float* values;  // [kKeyTile][row]
  float* q;       // [rows][row], scaled
  RowSums chunk;  // of the keys of a chunk so far
  RowSums all;    // of the chunks before

  AttentionTile(int64_t head_dim, int64_t rows)
      : AttentionTile(round_up(head_dim, kWidth), rows,
                      static_cast<float*>(scratch(4 * floats(round_up(head_dim, kWidth), rows)))) {}

 private:
  static int64_t floats(int64_t row, int64_t rows) {
    return 2 * kKeyTile * row + rows * row + 2 * RowSums::floats(rows, row);
  }
  AttentionTile(int64_t padded, int64_t rows, float* memory)
      : row(padded),
        keys(memory),
        values(keys + kKeyTile * row),
        q(values + kKeyTile * row),
        chunk(q + rows * row, rows, row),
        all(q + rows * row + RowSums::floats(rows, row), rows, row) {}
};

// A tile of keys [D][kKeyTile] and values, as they lie in the cache or widened.
template <class T>
struct KeyTileData {
  const T* keys;
  const T* values;
  int64_t values_row;
};

// Takes one block of rows past one tile of keys.
class AttentionBlock {
 public:
  AttentionBlock(const HeadRows& rows, AttentionTile& tile, int64_t tile_first, int64_t first, int64_t count)
      : rows_(rows),
        tile_(tile),
        at_(first - tile_first),
        first_(first),
        count_(count),
        all_(rows.range(first, first + count)) {}

  template <class T>
  void attend(int64_t keys_at, const KeyTileData<T>& data) {
    const KeyRange seen = all_.within(keys_at);
    if (seen.empty()) return;
    const VectorRange vectors(seen);
    tile_product(ProductWith<T>{q(), tile_.row, 1, data.keys + vectors.begin, kKeyTile,
                                scores_[0] + vectors.begin, kKeyTile, false},
                 count_, vectors.count(), rows_.a.head_dim);
    softmax(keys_at);
    add_values(data);
  }

 private:
  float* q() const { return tile_.q + at_ * tile_.row; }
  float* y(int64_t i) const { return tile_.chunk.y + (at_ + i) * tile_.row; }

  // Scores become weights e^(score - top); what was summed under an older top is rescaled.
  void softmax(int64_t keys_at) {
    float shift[round_up(kBlockRows, kWidth)] = {};
    for (int64_t i = 0; i < count_; ++i) {
      range_[i] = rows_.range(first_ + i).within(keys_at);
      if (range_[i].empty()) continue;
      const VectorRange vectors(range_[i]);
      const ScoreMap map(rows_, first_ + i, keys_at);
      Vec top(-kInfinity);
      for (int64_t j = vectors.begin; j < vectors.end; j += kWidth) {
        const Vec score = ScoreMap::inside(range_[i], j, map(Vec::load(scores_[i] + j), j), Vec(-kInfinity));
        score.store(scores_[i] + j);
        top = max(top, score);
      }
      const float old = tile_.chunk.top[at_ + i], now = max_lanes(top);
      tile_.chunk.top[at_ + i] = now > old ? now : old;
      shift[i] = old - tile_.chunk.top[at_ + i];
    }
    for (int64_t i = 0; i < kBlockRows; i += kWidth) exp(Vec::load(shift + i)).store(shift + i);
    for (int64_t i = 0; i < count_; ++i) {
      if (range_[i].empty()) continue;
      const VectorRange vectors(range_[i]);
      const Vec top(tile_.chunk.top[at_ + i]);
      Vec sum(0.0f);
      for (int64_t j = vectors.begin; j < vectors.end; j += kWidth) {
        const Vec weight = exp(Vec::load(scores_[i] + j) - top);
        weight.store(scores_[i] + j);
        sum = sum + weight;
      }
      tile_.chunk.sum[at_ + i] = tile_.chunk.sum[at_ + i] * shift[i] + sum_lanes(sum);
      if (shift[i] != 1.0f) {
        for_lanes(tile_.row,
                  [&](int64_t d, auto lanes) { (Vec::load(y(i) + d) * Vec(shift[i])).store(y(i) + d); });
      }
    }
  }

  // y += weights times values, over the keys each row sees and no other: a weight of zero would spread a NaN.
  // The keys that all rows see are done together; a row's order of keys is the same either way.
  template <class T>
  void add_values(const KeyTileData<T>& data) const {
    KeyRange common = range_[0];
    for (int64_t i = 1; i < count_; ++i) {
      if (range_[i].begin > common.begin) common.begin = range_[i].begin;
      if (range_[i].end < common.end) common.end = range_[i].end;
    }
    if (common.empty()) {
      for (int64_t i = 0; i < count_; ++i) add_values(data, i, 1, range_[i]);
      return;
    }
    for (int64_t i = 0; i < count_; ++i) add_values(data, i, 1, {range_[i].begin, common.begin});
    add_values(data, 0, count_, common);
    for (int64_t i = 0; i < count_; ++i) add_values(data, i, 1, {common.end, range_[i].end});
  }
  template <class T>
  void add_values(const KeyTileData<T>& data, int64_t i, int64_t count, KeyRange range) const {
    if (range.empty()) return;
    tile_product(
        ProductWith<T>{scores_[i] + range.begin, kKeyTile, 1, data.values + range.begin * data.values_row,
                       data.values_row, y(i), tile_.row, true},
        count, tile_.row / kWidth, range.end - range.begin);
  }

  const HeadRows& rows_;
  AttentionTile& tile_;
  int64_t at_;     // of the first row, in the tile
  int64_t first_;  // row
  int64_t count_;
  KeyRange all_;
  KeyRange range_[kBlockRows];  // what each row sees of the tile of keys
  alignas(64) float scores_[kBlockRows][kKeyTile];
};

template <class T>
inline void finish_rows(const HeadRows& rows, const RowSums& sums, int64_t row, int64_t first,
                        int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const bool empty = rows.range(first + i).empty();
    const Vec inverse(empty ? 0.0f : 1.0f / sums.sum[i]);
    T* y = static_cast<T*>(rows.a.y) + rows.offset(first + i);
    for_lanes(rows.a.head_dim, [&](int64_t d, auto lanes) {
      (Vec::load(sums.y + i * row + d) * inverse).store(y + d, lanes);
    });
    if (rows.a.lse == nullptr) continue;
    static_cast<float*>(rows.a.lse)[rows.stats(first + i)] =
        empty ? -kInfinity : sums.top[i] + __builtin_logf(sums.sum[i]);
  }
}

// Keys and values of one head where they are dense tensors of T.
template <class T>
class DenseKv {
 public:
  explicit DenseKv(const HeadRows& rows)
      : rows_(rows),
        keys_(static_cast<const T*>(rows.a.k) + rows.keys()),
        values_(static_cast<const T*>(rows.a.v) + rows.keys()) {}

  // Calls use(data) with the tile at `at`; `seen` of it matters.
  template <class Use>
  void with_tile(const AttentionTile& tile, int64_t at, KeyRange seen, int64_t, const Use& use) const {
    const int64_t stride = rows_.key_stride(), dim = rows_.a.head_dim;
    const int64_t first = VectorRange(seen).begin;
    widen_transposed(keys_ + (at + first) * stride, stride, seen.end - first, dim, tile.keys + first,
                     kKeyTile);
    widen_rows(values_ + (at + seen.begin) * stride, stride, seen.end - seen.begin, dim, Vec(1.0f),
               tile.values + seen.begin * tile.row, tile.row);
    use(KeyTileData<float>{tile.keys, tile.values, tile.row});
  }

 private:
  const HeadRows& rows_;
  const T* keys_;
  const T* values_;
};

// The same in the blocks of a cache (backend/api/kv_blocks.h); T is void for Q8_0.
template <class T>
class BlockKv {
 public:
  explicit BlockKv(const HeadRows& rows)
      : rows_(rows), head_bytes_(kv_head_bytes(rows.a.blocks.dtype, rows.a.head_dim)) {}

  template <class Use>
  void with_tile(const AttentionTile& tile, int64_t at, KeyRange seen, int64_t count, const Use& use) const {
    const int64_t head = rows_.a.blocks.block(rows_.batch, at) * rows_.a.kv_heads + rows_.kv_head;
    const auto* keys = reinterpret_cast<const T*>(static_cast<const char*>(rows_.a.k) + head * head_bytes_);
    const auto* values = reinterpret_cast<const T*>(static_cast<const char*>(rows_.a.v) + head * head_bytes_);
    const int64_t dim = rows_.a.head_dim;
    if constexpr (!__is_same(T, void)) {
      if (count <= kFewRows && dim == tile.row) return use(KeyTileData<T>{keys, values, dim});
    }
    widen(keys, values, tile, seen);
    use(KeyTileData<float>{tile.keys, tile.values, tile.row});
  }

 private:
  template <class Kv>
  void widen(const Kv* keys, const Kv* values, const AttentionTile& tile, KeyRange seen) const {
    const VectorRange vectors(seen);
    const int64_t dim = rows_.a.head_dim, slots = vectors.end - vectors.begin;
    widen_rows(keys + vectors.begin, kKeyTile, dim, slots, Vec(1.0f), tile.keys + vectors.begin, kKeyTile);
    widen_rows(values + seen.begin * dim, dim, seen.end - seen.begin, dim, Vec(1.0f),
               tile.values + seen.begin * tile.row, tile.row);
  }
  void widen(const void* keys, const void* values, const AttentionTile& tile, KeyRange seen) const {
    const VectorRange vectors(seen);
    const int64_t dim = rows_.a.head_dim;
    const int8_t* numbers = kv_numbers(keys, dim);
    for (int64_t d = 0; d < dim; ++d) {
      const float16* scales = static_cast<const float16*>(keys) + kv_scale_index(0, d);
      for (int64_t s = vectors.begin; s < vectors.end; s += kWidth) {
        (Vec::load(numbers + kv_key_index(s, d)) * Vec::load(scales + s)).store(tile.keys + d * kKeyTile + s);
      }
    }
    numbers = kv_numbers(values, dim);
    float scales[kKeyTile];
    for (int64_t d = 0; d < dim; d += kKvScaled) {
      widen_rows(static_cast<const float16*>(values) + kv_scale_index(0, d), 0, 1, kKeyTile, Vec(1.0f),
                 scales, kKeyTile);
      for (int64_t s = seen.begin; s < seen.end; ++s) {
        const Vec scale(scales[s]);
        for (int64_t i = d; i < d + kKvScaled; i += kWidth) {
          (Vec::load(numbers + kv_value_index(s, i, dim)) * scale).store(tile.values + s * tile.row + i);
        }
      }
    }
  }

  const HeadRows& rows_;
  int64_t head_bytes_;
};

// Rows [first, first + count) over the keys of one chunk, into tile.chunk.
template <class Kv>
inline void attend_chunk(const HeadRows& rows, const Kv& kv, AttentionTile& tile, int64_t first,
                         int64_t count, KeyRange keys) {
  for (int64_t at = keys.begin / kKeyTile * kKeyTile; at < keys.end; at += kKeyTile) {
    kv.with_tile(tile, at, keys.within(at), count, [&](const auto& data) {
      for (int64_t r = 0; r < count; r += kBlockRows) {
        AttentionBlock(rows, tile, first, first + r, count - r < kBlockRows ? count - r : kBlockRows)
            .attend(at, data);
      }
    });
  }
}

// Calls body(range) for each chunk of keys.
template <class Body>
inline void for_chunks(KeyRange keys, const Body& body) {
  for (int64_t at = keys.begin / kKeyChunk * kKeyChunk; at < keys.end; at += kKeyChunk) {
    body(KeyRange{at > keys.begin ? at : keys.begin, at + kKeyChunk < keys.end ? at + kKeyChunk : keys.end});
  }
}

inline bool sees_any(const HeadRows& rows, int64_t r, KeyRange keys) {
  const KeyRange range = rows.range(r);
  return range.begin < keys.end && range.end > keys.begin && !range.empty();
}

// Rows [first, first + count), at most kQueryTile.
template <class T, class Kv>
inline void attend_rows(const HeadRows& rows, int64_t first, int64_t count) {
  AttentionTile tile(rows.a.head_dim, count);
  const Kv kv(rows);
  rows.widen<T>(rows.a.q, first, count, static_cast<float>(rows.a.scale), tile.q, tile.row);
  tile.all.clear(count, tile.row);
  for_chunks(rows.range(first, first + count), [&](KeyRange keys) {
    tile.chunk.clear(count, tile.row);
    attend_chunk(rows, kv, tile, first, count, keys);
    for (int64_t i = 0; i < count; ++i) {
      if (sees_any(rows, first + i, keys)) tile.all.join(tile.chunk, i, tile.row);
    }
  });
  finish_rows<T>(rows, tile.all, tile.row, first, count);
}

// The same for the few rows of every head, with the chunks of keys shared among threads.
template <class T, class Kv>
inline void attend_in_chunks(const AttentionArgs& a, int64_t chunks, int64_t grain) {
  const int64_t heads = a.batch * a.kv_heads, count = HeadRows{a, 0, 0}.count();
  const int64_t row = round_up(a.head_dim, kWidth), floats = RowSums::floats(count, row);
  float* sums = static_cast<float*>(shared_scratch(4 * heads * chunks * floats));
  const auto sums_of = [&](int64_t head, int64_t chunk) {
    return RowSums(sums + (head * chunks + chunk) * floats, count, row);
  };
  const auto keys_of = [&](const HeadRows& rows, int64_t chunk) {
    KeyRange keys = rows.range(0, count);
    if (keys.begin < chunk * kKeyChunk) keys.begin = chunk * kKeyChunk;
    if (keys.end > (chunk + 1) * kKeyChunk) keys.end = (chunk + 1) * kKeyChunk;
    return keys;
  };
  parallel_for(heads * chunks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / chunks, chunk = i % chunks;
      const HeadRows rows{a, head / a.kv_heads, head % a.kv_heads};
      AttentionTile tile(a.head_dim, count);
      tile.chunk = sums_of(head, chunk);
      tile.chunk.clear(count, row);
      rows.widen<T>(a.q, 0, count, static_cast<float>(a.scale), tile.q, row);
      attend_chunk(rows, Kv(rows), tile, 0, count, keys_of(rows, chunk));
    }
  });
  for (int64_t head = 0; head < heads; ++head) {
    const HeadRows rows{a, head / a.kv_heads, head % a.kv_heads};
    const AttentionTile tile(a.head_dim, count);
    tile.all.clear(count, row);
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const KeyRange keys = keys_of(rows, chunk);
      for (int64_t i = 0; i < count; ++i) {
        if (!keys.empty() && sees_any(rows, i, keys)) tile.all.join(sums_of(head, chunk), i, row);
      }
    }
    finish_rows<T>(rows, tile.all, row, 0, count);
  }
}

template <class T, class Kv>
inline void attend_all(const AttentionArgs& a) {
  const int64_t rows = a.queries * (a.heads / a.kv_heads);
  const int64_t tiles = (rows + kQueryTile - 1) / kQueryTile, count = a.batch * a.kv_heads * tiles;
  const int64_t chunks = (a.keys + kKeyChunk - 1) / kKeyChunk;
  if (rows <= kFewRows && chunks > 1) {
    return attend_in_chunks<T, Kv>(a, chunks, 1 + kProductGrain / (rows * kKeyChunk * a.head_dim + 1));
  }
  const int64_t work = (rows < kQueryTile ? rows : kQueryTile) * a.keys * a.head_dim;
  parallel_for(count, 1 + kProductGrain / (work + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      // Late tiles see more keys: pair each with an early one.
      const int64_t task = i % 2 == 0 ? i / 2 : count - 1 - i / 2;
      const int64_t head = task % (a.batch * a.kv_heads), first = task / (a.batch * a.kv_heads) * kQueryTile;
      const HeadRows of{a, head / a.kv_heads, head % a.kv_heads};
      attend_rows<T, Kv>(of, first, rows - first < kQueryTile ? rows - first : kQueryTile);
    }
  });
}

inline bool attention(const AttentionArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    if (a.blocks.table == nullptr) return attend_all<T, DenseKv<T>>(a);
    visit_kv(a.blocks.dtype, [&]<class Kv>() { attend_all<T, BlockKv<Kv>>(a); });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
