// Attention by tiles of keys with a running softmax (Dao et al. 2022, arXiv 2205.14135).
#pragma once

#include "backend/cpu/kernels/attention_rows.h"
#include "backend/cpu/scratch.h"

namespace quern::backend::cpu::QUERN_ISA {

// Query rows that share one widened copy of a tile of keys and values.
inline constexpr int64_t kQueryTile = 16 * kBlockRows;

// Working memory of one tile of queries.
struct AttentionTile {
  int64_t row;            // floats of a head vector, padded to whole vectors
  float* keys;            // [D][kKeyTile]
  float* values;          // [kKeyTile][row]
  float* q;               // [kQueryTile][row], scaled
  float* y;               // [kQueryTile][row], times its row's sum
  float top[kQueryTile];  // largest score so far
  float sum[kQueryTile];  // of e^(score - top)

  explicit AttentionTile(int64_t head_dim) : row(round_up(head_dim, kWidth)) {
    keys = static_cast<float*>(scratch(4 * row * (2 * kKeyTile + 2 * kQueryTile)));
    values = keys + kKeyTile * row;
    q = values + kKeyTile * row;
    y = q + kQueryTile * row;
  }
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

  void attend(int64_t keys_at) {
    const KeyRange seen = all_.within(keys_at);
    if (seen.empty()) return;
    const VectorRange vectors(seen);
    tile_product({q(), tile_.row, 1, tile_.keys + vectors.begin, kKeyTile, scores_[0] + vectors.begin,
                  kKeyTile, false},
                 count_, vectors.count(), rows_.a.head_dim);
    softmax(keys_at);
    add_values();
  }

 private:
  float* q() const { return tile_.q + at_ * tile_.row; }
  float* y(int64_t i) const { return tile_.y + (at_ + i) * tile_.row; }

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
      const float old = tile_.top[at_ + i], now = max_lanes(top);
      tile_.top[at_ + i] = now > old ? now : old;
      shift[i] = old - tile_.top[at_ + i];
    }
    for (int64_t i = 0; i < kBlockRows; i += kWidth) exp(Vec::load(shift + i)).store(shift + i);
    for (int64_t i = 0; i < count_; ++i) {
      if (range_[i].empty()) continue;
      const VectorRange vectors(range_[i]);
      const Vec top(tile_.top[at_ + i]);
      Vec sum(0.0f);
      for (int64_t j = vectors.begin; j < vectors.end; j += kWidth) {
        const Vec weight = exp(Vec::load(scores_[i] + j) - top);
        weight.store(scores_[i] + j);
        sum = sum + weight;
      }
      tile_.sum[at_ + i] = tile_.sum[at_ + i] * shift[i] + sum_lanes(sum);
      if (shift[i] != 1.0f) {
        for_lanes(tile_.row,
                  [&](int64_t d, auto lanes) { (Vec::load(y(i) + d) * Vec(shift[i])).store(y(i) + d); });
      }
    }
  }

  // y += weights times values, over the keys each row sees and no other: a weight of zero would spread a NaN.
  // The keys that all rows see are done together; a row's order of keys is the same either way.
  void add_values() const {
    KeyRange common = range_[0];
    for (int64_t i = 1; i < count_; ++i) {
      if (range_[i].begin > common.begin) common.begin = range_[i].begin;
      if (range_[i].end < common.end) common.end = range_[i].end;
    }
    if (common.empty()) {
      for (int64_t i = 0; i < count_; ++i) add_values(i, 1, range_[i]);
      return;
    }
    for (int64_t i = 0; i < count_; ++i) add_values(i, 1, {range_[i].begin, common.begin});
    add_values(0, count_, common);
    for (int64_t i = 0; i < count_; ++i) add_values(i, 1, {common.end, range_[i].end});
  }
  void add_values(int64_t i, int64_t count, KeyRange range) const {
    if (range.empty()) return;
    tile_product({scores_[i] + range.begin, kKeyTile, 1, tile_.values + range.begin * tile_.row, tile_.row,
                  y(i), tile_.row, true},
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
inline void finish_rows(const HeadRows& rows, const AttentionTile& tile, int64_t first, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const bool empty = rows.range(first + i).empty();
    const Vec inverse(empty ? 0.0f : 1.0f / tile.sum[i]);
    T* y = static_cast<T*>(rows.a.y) + rows.offset(first + i);
    for_lanes(rows.a.head_dim, [&](int64_t d, auto lanes) {
      (Vec::load(tile.y + i * tile.row + d) * inverse).store(y + d, lanes);
    });
    if (rows.a.lse == nullptr) continue;
    static_cast<float*>(rows.a.lse)[rows.stats(first + i)] =
        empty ? -kInfinity : tile.top[i] + __builtin_logf(tile.sum[i]);
  }
}

// Rows [first, first + count), at most kQueryTile.
template <class T>
inline void attend_rows(const HeadRows& rows, int64_t first, int64_t count) {
  AttentionTile tile(rows.a.head_dim);
  rows.widen<T>(rows.a.q, first, count, static_cast<float>(rows.a.scale), tile.q, tile.row);
  for (int64_t i = 0; i < count; ++i) {
    tile.top[i] = -kInfinity;
    tile.sum[i] = 0.0f;
  }
  for (int64_t i = 0; i < count * tile.row; i += kWidth) Vec(0.0f).store(tile.y + i);
  const KeyRange all = rows.range(first, first + count);
  const T* k = static_cast<const T*>(rows.a.k) + rows.keys();
  const T* v = static_cast<const T*>(rows.a.v) + rows.keys();
  const int64_t stride = rows.key_stride();
  for (int64_t at = all.begin / kKeyTile * kKeyTile; at < all.end; at += kKeyTile) {
    const KeyRange seen = all.within(at);
    const VectorRange vectors(seen);  // of no interest to any row: the keys before and after
    widen_transposed(k + (at + vectors.begin) * stride, stride, seen.end - vectors.begin, rows.a.head_dim,
                     tile.keys + vectors.begin, kKeyTile);
    widen_rows(v + (at + seen.begin) * stride, stride, seen.end - seen.begin, rows.a.head_dim, Vec(1.0f),
               tile.values + seen.begin * tile.row, tile.row);
    for (int64_t r = 0; r < count; r += kBlockRows) {
      AttentionBlock(rows, tile, first, first + r, count - r < kBlockRows ? count - r : kBlockRows)
          .attend(at);
    }
  }
  finish_rows<T>(rows, tile, first, count);
}

inline bool attention(const AttentionArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    const int64_t rows = a.queries * (a.heads / a.kv_heads);
    const int64_t tiles = (rows + kQueryTile - 1) / kQueryTile, count = a.batch * a.kv_heads * tiles;
    const int64_t work = (rows < kQueryTile ? rows : kQueryTile) * a.keys * a.head_dim;
    parallel_for(count, 1 + kProductGrain / (work + 1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        // Late tiles see more keys: pair each with an early one.
        const int64_t task = i % 2 == 0 ? i / 2 : count - 1 - i / 2;
        const int64_t head = task % (a.batch * a.kv_heads),
                      first = task / (a.batch * a.kv_heads) * kQueryTile;
        const HeadRows of{a, head / a.kv_heads, head % a.kv_heads};
        attend_rows<T>(of, first, rows - first < kQueryTile ? rows - first : kQueryTile);
      }
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
