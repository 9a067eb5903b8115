// What attention and its backward pass share: which rows read a key/value head, what they see of a tile of
// keys, and their scores.
#pragma once

#include "backend/cpu/kernels/support.h"
#include "backend/cpu/kernels/tile_product.h"

namespace quern::backend::cpu::QUERN_ISA {

// Keys of a tile. Tiles start at multiples of this, whatever the query sees, so that a row's sums are cut in
// the same places in a full pass and in a decode step.
inline constexpr int64_t kKeyTile = 64;
static_assert(kKeyTile % kWidth == 0 && kKeyTile == kKvSlots);

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Keys [begin, end).
struct KeyRange {
  int64_t begin, end;
  bool empty() const { return begin >= end; }
  // Relative to the tile of keys that starts at `tile`, and within it.
  KeyRange within(int64_t tile) const {
    return {begin > tile ? begin - tile : 0, end - tile < kKeyTile ? end - tile : kKeyTile};
  }
  void unite(KeyRange other) {
    if (other.empty()) return;
    if (empty()) *this = other;
    if (other.begin < begin) begin = other.begin;
    if (other.end > end) end = other.end;
  }
};

// The query rows that read one key/value head of one sequence, all heads of a query next to each other.
struct HeadRows {
  const AttentionArgs& a;
  int64_t batch, kv_head;

  int64_t group() const { return a.heads / a.kv_heads; }
  int64_t count() const { return a.queries * group(); }
  int64_t head(int64_t r) const { return kv_head * group() + r % group(); }
  int64_t query(int64_t r) const { return batch * a.queries + r / group(); }
  // Offset of the row in q, y and their gradients; index of its lse.
  int64_t offset(int64_t r) const { return (query(r) * a.heads + head(r)) * a.head_dim; }
  int64_t stats(int64_t r) const { return (batch * a.heads + head(r)) * a.queries + r / group(); }
  // Offset of its bias of key 0.
  int64_t bias(int64_t r) const {
    return batch * a.bias_batch_stride + (head(r) * a.queries + r / group()) * a.bias_keys;
  }
  KeyRange range(int64_t r) const { return {a.begin[query(r)], a.end[query(r)]}; }
  KeyRange range(int64_t first, int64_t last) const {
    KeyRange all{0, 0};
    for (int64_t r = first; r < last; ++r) all.unite(range(r));
    return all;
  }
  // Offset of key 0 in k and v; keys are key_stride() apart.
  int64_t keys() const { return batch * a.kv_batch_stride + kv_head * a.head_dim; }
  int64_t key_stride() const { return a.kv_heads * a.head_dim; }

  // Rows [first, first + rows) of q-shaped `x`, widened.
  template <class T>
  void widen(const void* x, int64_t first, int64_t rows, float scale, float* to, int64_t to_row) const {
    for (int64_t r = 0; r < rows; ++r) {
      widen_rows(static_cast<const T*>(x) + offset(first + r), 0, 1, a.head_dim, Vec(scale), to + r * to_row,
                 to_row);
    }
  }
};

// What stands between scale * q·k and the softmax: soft-cap, ALiBi and biases for one row.
struct ScoreMap {
  float softcap;
  float slope;         // of the head
  float key_offset;    // the tile's first key - the query's position
  const float* bias;   // of the tile's first key, or null
  int64_t bias_count;  // how many follow

  ScoreMap(const HeadRows& rows, int64_t r, int64_t tile)
      : softcap(static_cast<float>(rows.a.softcap)),
        slope(rows.a.slopes == nullptr ? 0.0f : rows.a.slopes[rows.head(r)]),
        key_offset(static_cast<float>(tile - (rows.range(r).end - 1))),
        bias(rows.a.bias == nullptr ? nullptr : static_cast<const float*>(rows.a.bias) + rows.bias(r) + tile),
        bias_count(rows.a.bias_keys - tile) {}

  // The scores of keys [i, i + kWidth) of the tile; `derivative` becomes that of the soft-cap.
  Vec operator()(Vec score, int64_t i, Vec* derivative = nullptr) const {
    if (softcap > 0.0f) {
      const Vec t = tanh(score * Vec(1.0f / softcap));
      if (derivative != nullptr) *derivative = fnma(t, t, Vec(1.0f));
      score = t * Vec(softcap);
    }
    if (slope != 0.0f) score = fma(Vec(slope), Vec(key_offset) + index(i), score);
    return bias == nullptr ? score : score + load_first(bias + i, bias_count - i);
  }

  // A vector of which `count` > 0 floats exist.
  static Vec load_first(const float* from, int64_t count) {
    return count >= kWidth ? Vec::load(from) : Vec::load(from, FirstLanes{static_cast<int>(count)});
  }

  static Vec index(int64_t i) {
    alignas(64) static constexpr float kIndex[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return Vec::load(kIndex) + Vec(static_cast<float>(i));
  }
  // a in keys [i, i + kWidth) of `range`, b elsewhere.
  static Vec inside(KeyRange range, int64_t i, Vec a, Vec b) {
    if (range.begin > i) a = select(index(i) < Vec(static_cast<float>(range.begin)), b, a);
    if (range.end < i + kWidth) a = select(index(i) < Vec(static_cast<float>(range.end)), a, b);
    return a;
  }
};

// Whole vectors of a tile that hold a range.
struct VectorRange {
  int64_t begin, end;  // keys, multiples of kWidth
  explicit VectorRange(KeyRange range)
      : begin(range.begin / kWidth * kWidth), end(round_up(range.end, kWidth)) {}
  int64_t count() const { return (end - begin) / kWidth; }
};

}  // namespace quern::backend::cpu::QUERN_ISA
