// Gradients of attention. Weights are recomputed from the forward pass's log-sum-exp, tile by tile; one
// thread does a whole key/value head, so that sums are always taken in the same order.
#pragma once

#include "backend/cpu/kernels/attention_rows.h"
#include "backend/cpu/scratch.h"

namespace quern::backend::cpu::QUERN_ISA {

// Query rows whose weights of a tile of keys are kept to form the gradients of those keys.
inline constexpr int64_t kGradientRows = 8 * kBlockRows;

// Working memory of one key/value head.
struct GradientTiles {
  int64_t row;            // floats of a head vector, padded to whole vectors
  float* keys_columns;    // [D][kKeyTile]
  float* values_columns;  // [D][kKeyTile]
  float* keys;            // [kKeyTile][row]
  float* dk;              // [kKeyTile][row]
  float* dv;              // [kKeyTile][row]
  float* q;               // [kGradientRows][row], scaled
  float* dy;              // [kGradientRows][row]
  float* weights;         // [kGradientRows][kKeyTile]
  float* dscores;         // [kGradientRows][kKeyTile]
  float* shift;           // [rows]: dy·y
  float* dq;              // [rows][row], before the scale

  GradientTiles(int64_t head_dim, int64_t rows) : row(round_up(head_dim, kWidth)) {
    const int64_t key_tile = kKeyTile * row, query_tile = kGradientRows * row,
                  square = kGradientRows * kKeyTile;
    const int64_t rows_padded = round_up(rows, 16);
    float* at = static_cast<float*>(
        scratch(4 * (5 * key_tile + 2 * query_tile + 2 * square + rows_padded * (1 + row))));
    const auto take = [&at](int64_t count) {
      float* taken = at;
      at += count;
      return taken;
    };
    keys_columns = take(key_tile);
    values_columns = take(key_tile);
    keys = take(key_tile);
    dk = take(key_tile);
    dv = take(key_tile);
    q = take(query_tile);
    dy = take(query_tile);
    weights = take(square);
    dscores = take(square);
    shift = take(rows_padded);
    dq = take(rows_padded * row);
  }
};

inline void fill_zero(float* to, int64_t count) {
  for_lanes(count, [&](int64_t i, auto lanes) { Vec(0.0f).store(to + i, lanes); });
}

template <class T>
class HeadGradient {
 public:
  HeadGradient(const AttentionBackwardArgs& args, int64_t batch, int64_t kv_head)
      : args_(args), rows_{args.forward, batch, kv_head}, tiles_(args.forward.head_dim, rows_.count()) {}

  void run() {
    const int64_t count = rows_.count(), dim = rows_.a.head_dim;
    fill_zero(tiles_.dq, count * tiles_.row);
    for (int64_t r = 0; r < count; ++r) tiles_.shift[r] = row_shift(r);
    for (int64_t at = 0; at < rows_.a.keys; at += kKeyTile) key_tile(at);
    for (int64_t r = 0; r < count; ++r) {
      narrow_row(tiles_.dq + r * tiles_.row, static_cast<float>(rows_.a.scale),
                 static_cast<T*>(args_.dq) + rows_.offset(r), dim);
    }
  }

 private:
  static void narrow_row(const float* from, float scale, T* to, int64_t count) {
    for_lanes(count, [&](int64_t i, auto lanes) { (Vec::load(from + i) * Vec(scale)).store(to + i, lanes); });
  }

  float row_shift(int64_t r) const {
    const T* dy = static_cast<const T*>(args_.dy) + rows_.offset(r);
    const T* y = static_cast<const T*>(rows_.a.y) + rows_.offset(r);
    Vec sum(0.0f);
    for_lanes(rows_.a.head_dim, [&](int64_t i, auto lanes) {
      sum = fma(Vec::load(dy + i, lanes), Vec::load(y + i, lanes), sum);
    });
    return sum_lanes(sum);
  }

  void key_tile(int64_t at) {
    const int64_t dim = rows_.a.head_dim, stride = rows_.key_stride();
    const int64_t keys = rows_.a.keys - at < kKeyTile ? rows_.a.keys - at : kKeyTile;
    const T* k = static_cast<const T*>(rows_.a.k) + rows_.keys() + at * stride;
    const T* v = static_cast<const T*>(rows_.a.v) + rows_.keys() + at * stride;
    widen_transposed(k, stride, keys, dim, tiles_.keys_columns, kKeyTile);
    widen_transposed(v, stride, keys, dim, tiles_.values_columns, kKeyTile);
    widen_rows(k, stride, keys, dim, Vec(1.0f), tiles_.keys, tiles_.row);
    fill_zero(tiles_.dk, keys * tiles_.row);
    fill_zero(tiles_.dv, keys * tiles_.row);
    for (int64_t r = 0; r < rows_.count(); r += kGradientRows) {
      query_tile(at, r, rows_.count() - r < kGradientRows ? rows_.count() - r : kGradientRows);
    }
    // Gradients of k and v are dense even where k and v lie in a longer cache.
    const int64_t first = (rows_.batch * rows_.a.keys + at) * stride + rows_.kv_head * dim;
    for (int64_t j = 0; j < keys; ++j) {
      narrow_row(tiles_.dk + j * tiles_.row, 1.0f, static_cast<T*>(args_.dk) + first + j * stride, dim);
      narrow_row(tiles_.dv + j * tiles_.row, 1.0f, static_cast<T*>(args_.dv) + first + j * stride, dim);
    }
  }

  // Rows [first, first + count) against the tile of keys at `at`.
  void query_tile(int64_t at, int64_t first, int64_t count) {
    const KeyRange seen = rows_.range(first, first + count).within(at);
    if (seen.empty()) return;
    rows_.widen<T>(rows_.a.q, first, count, static_cast<float>(rows_.a.scale), tiles_.q, tiles_.row);
    rows_.widen<T>(args_.dy, first, count, 1.0f, tiles_.dy, tiles_.row);
    for (int64_t r = 0; r < count; r += kBlockRows) {
      row_block(at, first + r, r, count - r < kBlockRows ? count - r : kBlockRows);
    }
    const int64_t keys = seen.end - seen.begin, vectors = tiles_.row / kWidth;
    tile_product({tiles_.weights + seen.begin, 1, kKeyTile, tiles_.dy, tiles_.row,
                  tiles_.dv + seen.begin * tiles_.row, tiles_.row, true},
                 keys, vectors, count);
    tile_product({tiles_.dscores + seen.begin, 1, kKeyTile, tiles_.q, tiles_.row,
                  tiles_.dk + seen.begin * tiles_.row, tiles_.row, true},
                 keys, vectors, count);
  }

  // The weights of a block of rows, the gradients of their scores, and with these the block's part of dq.
  //   p = exp(score - lse);  dscore = p (dy·v - dy·y) * derivative of the soft-cap;  dq += dscore k
  void row_block(int64_t at, int64_t first, int64_t tile_row, int64_t count) {
    float* weights = tiles_.weights + tile_row * kKeyTile;
    float* dscores = tiles_.dscores + tile_row * kKeyTile;
    const KeyRange seen = rows_.range(first, first + count).within(at);
    if (seen.empty()) {
      fill_zero(weights, count * kKeyTile);
      fill_zero(dscores, count * kKeyTile);
      return;
    }
    const VectorRange vectors(seen);
    const auto against_keys = [&](const float* x, const float* columns, float* to) {
      tile_product({x + tile_row * tiles_.row, tiles_.row, 1, columns + vectors.begin, kKeyTile,
                    to + vectors.begin, kKeyTile, false},
                   count, vectors.count(), rows_.a.head_dim);
    };
    against_keys(tiles_.q, tiles_.keys_columns, weights);
    against_keys(tiles_.dy, tiles_.values_columns, dscores);
    for (int64_t i = 0; i < count; ++i) row(at, first + i, weights + i * kKeyTile, dscores + i * kKeyTile);
    tile_product({dscores + seen.begin, kKeyTile, 1, tiles_.keys + seen.begin * tiles_.row, tiles_.row,
                  tiles_.dq + first * tiles_.row, tiles_.row, true},
                 count, tiles_.row / kWidth, seen.end - seen.begin);
  }

  // One row: scores become weights, dy·v becomes dscore; both zero for keys it does not see.
  void row(int64_t at, int64_t r, float* weights, float* dscores) const {
    const KeyRange seen = rows_.range(r).within(at);
    if (seen.empty()) {
      fill_zero(weights, kKeyTile);
      fill_zero(dscores, kKeyTile);
      return;
    }
    const VectorRange vectors(seen);
    const ScoreMap map(rows_, r, at);
    const Vec lse(static_cast<const float*>(rows_.a.lse)[rows_.stats(r)]), shift(tiles_.shift[r]), zero(0.0f);
    fill_zero(weights, vectors.begin);
    fill_zero(dscores, vectors.begin);
    for (int64_t j = vectors.begin; j < vectors.end; j += kWidth) {
      Vec derivative(1.0f);
      const Vec score = map(Vec::load(weights + j), j, &derivative);
      const Vec weight = exp(score - lse);
      const Vec dscore = ScoreMap::inside(seen, j, weight * (Vec::load(dscores + j) - shift), zero);
      ScoreMap::inside(seen, j, weight, zero).store(weights + j);
      (dscore * derivative).store(dscores + j);
      if (args_.dbias != nullptr) store_bias_gradient(dscore, rows_.stats(r), at + j);
    }
    fill_zero(weights + vectors.end, kKeyTile - vectors.end);
    fill_zero(dscores + vectors.end, kKeyTile - vectors.end);
  }

  // Of keys from `key` on.
  void store_bias_gradient(Vec gradient, int64_t stats, int64_t key) const {
    float* to = static_cast<float*>(args_.dbias) + stats * rows_.a.keys + key;
    const int64_t count = rows_.a.keys - key;
    if (count >= kWidth) return gradient.store(to);
    gradient.store(to, FirstLanes{static_cast<int>(count)});
  }

  const AttentionBackwardArgs& args_;
  HeadRows rows_;
  GradientTiles tiles_;
};

inline bool attention_backward(const AttentionBackwardArgs& args) {
  return visit_dtype(args.forward.dtype, [&]<class T>() {
    const AttentionArgs& a = args.forward;
    const int64_t work = a.queries * (a.heads / a.kv_heads) * a.keys * a.head_dim;
    parallel_for(a.batch * a.kv_heads, 1 + kProductGrain / (work + 1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) HeadGradient<T>(args, i / a.kv_heads, i % a.kv_heads).run();
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
