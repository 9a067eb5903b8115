// Products of rows, rounded to 8 bits, with block-quantised matrices in strips (tensor/strips.h). Every element sums
// its groups in order of k with the same operations, whatever the number of rows: a row's bits are its own.
#pragma once

#include "backend/cpu/kernels/activation.kernel.h"
#include "backend/cpu/kernels/strip_product.kernel.h"
#include "backend/cpu/scratch.h"
#include "base/balanced_for.h"
#ifdef QUERN_STRIP_TILES
#include "backend/cpu/kernels/strip_tiles.kernel.h"
#endif
#ifdef QUERN_STRIP_PANELS
#include "backend/cpu/kernels/strip_panels.kernel.h"
#endif

namespace quern::backend::cpu::QUERN_ISA {

using StripProduct = void (*)(const uint8_t* strip, const RoundedRows& x, float* out);
// The fastest for so many rows; every one gives the same bits.
inline StripProduct strip_product(DType dtype, int64_t rows) {
  StripProduct found = nullptr;
  visit_strips(dtype, [&]<class Block, StripFormat F>() {
    found = multiply_rows<F>;
#ifdef QUERN_STRIP_TILES
    if (rows >= kFewestTileRows) found = multiply_on_tiles<F>;
#endif
#ifdef QUERN_STRIP_PANELS
    if constexpr (F.zero != 128) {
      if (rows >= kFewestPanelRows) found = multiply_on_panels<F>;
    }
#endif
  });
  return found;
}

// Rows of x that are multiplied with one strip after the other: they stay in the L2 cache. Whole tiles, and whole
// numbers of kManyRows.
inline constexpr int64_t kMaxStripRows = 192, kStripRowStep = 48;
inline int64_t rows_at_a_time(int64_t row_bytes) {
  const int64_t fitting = (int64_t{1} << 20) / row_bytes;
  return fitting < kStripRowStep   ? kStripRowStep
         : fitting > kMaxStripRows ? kMaxStripRows
                                   : fitting / kStripRowStep * kStripRowStep;
}

// Tiles take whole numbers of rows.
inline int64_t rows_in_memory(int64_t rows) {
#ifdef QUERN_STRIP_TILES
  if (rows >= kFewestTileRows) return (rows + kTileRows - 1) / kTileRows * kTileRows;
#endif
  return rows;
}

// x in the forms that the matrices of a call ask for.
struct RoundedInput {
  RoundedRows groups = {}, supers = {};  // of RoundedGroup and RoundedSuper

  static bool takes_supers(DType w) { return rounded_columns(strip_format(w)) == kStripSuper; }
  const RoundedRows& rows_for(DType w) const { return takes_supers(w) ? supers : groups; }
  int64_t row_bytes() const { return groups.row_bytes > 0 ? groups.row_bytes : supers.row_bytes; }
  int64_t bytes() const { return rows_in_memory(groups.count) * (groups.row_bytes + supers.row_bytes); }

  // Sizes, without memory.
  explicit RoundedInput(const LinearBlocksArgs& a) {
    groups.columns = supers.columns = a.k;
    groups.count = supers.count = a.m;
    for (int p = 0; p < a.count; ++p) {
      if (takes_supers(a.parts[p].w_dtype))
        supers.row_bytes = RoundedRows::bytes_of_row<RoundedSuper>(a.k);
      else
        groups.row_bytes = RoundedRows::bytes_of_row<RoundedGroup>(a.k);
    }
  }
  // `memory` has bytes().
  template <class T>
  void round(const LinearBlocksArgs& a, char* memory) {
    round_into<RoundedGroup, T>(a, groups, memory);
    round_into<RoundedSuper, T>(a, supers, memory + rows_in_memory(a.m) * groups.row_bytes);
  }

 private:
  template <class R, class T>
  static void round_into(const LinearBlocksArgs& a, RoundedRows& rows, char* memory) {
    rows.memory = memory;
    if (rows.row_bytes == 0) return;
    parallel_for(a.m, row_grain(kHeavyGrain, a.k), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        round_row(static_cast<const T*>(a.x) + r * a.k, a.k, rows.row<R>(r));
    });
    const int64_t beyond = (rows_in_memory(a.m) - a.m) * rows.row_bytes;
    __builtin_memset(rows.row<char>(a.m), 0, static_cast<std::size_t>(beyond));
  }
};

// Adds the bias and stores [rows][16] sums as columns [column, column + width) of y.
template <class T>
inline void store_columns(const float* sums, int64_t rows, const BlockProduct& p, int64_t column,
                          int64_t width, void* y) {
  for (int64_t r = 0; r < rows; ++r) {
    T* to = static_cast<T*>(y) + r * p.n + column;
    for_lanes(width, [&](int64_t i, auto lanes) {
      Vec sum = Vec::load(sums + r * kStripRows + i);
      if (p.bias != nullptr) sum = sum + Vec::load(static_cast<const float*>(p.bias) + column + i, lanes);
      sum.store(to + i, lanes);
    });
  }
}

inline void add_bias(float* sums, int64_t rows, const BlockProduct& p, int64_t column, int64_t width) {
  if (p.bias == nullptr) return;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < width; ++i)
      sums[r * kStripRows + i] += static_cast<const float*>(p.bias)[column + i];
  }
}

// One part, or the pair of a gated product: strips [begin, end), whose bytes start at gate and up.
template <class T>
struct StripRange {
  const LinearBlocksArgs& a;
  const RoundedInput& x;

  // `strips`: those of parts p (and p + 1, when gated), from strip `first` on.
  void run(int part, const uint8_t* const (&strips)[2], int64_t first, int64_t begin, int64_t end) const {
    const int64_t step = rows_at_a_time(x.row_bytes());
    const BlockProduct* p = a.parts + part;
    alignas(64) float sums[kMaxStripRows * kStripRows];
    alignas(64) float gates[kMaxStripRows * kStripRows];
    for (int64_t row = 0; row < a.m; row += step) {
      const int64_t rows = a.m - row < step ? a.m - row : step;
      for (int64_t s = begin; s < end; ++s) {
        const int64_t column = s * kStripRows,
                      width = p->n - column < kStripRows ? p->n - column : kStripRows;
        const auto multiply = [&](int i, float* to) {
          const int64_t bytes = StripLayout{strip_format(p[i].w_dtype), a.k}.bytes();
          strip_product(p[i].w_dtype, rows)(strips[i] + (s - first) * bytes,
                                            x.rows_for(p[i].w_dtype).from(row, rows), to);
        };
        multiply(0, sums);
        if (a.gated) {
          multiply(1, gates);
          add_bias(sums, rows, p[0], column, width);
          add_bias(gates, rows, p[1], column, width);
          visit_activation(a.activation, [&]<class A>() {
            for_lanes(rows * kStripRows, [&](int64_t i, auto lanes) {
              (A::value(Vec::load(sums + i, lanes)) * Vec::load(gates + i, lanes)).store(sums + i, lanes);
            });
          });
          BlockProduct without_bias = p[0];
          without_bias.bias = nullptr;
          store_columns<T>(sums, rows, without_bias, column, width, static_cast<T*>(p->y) + row * p->n);
        } else {
          store_columns<T>(sums, rows, *p, column, width, static_cast<T*>(p->y) + row * p->n);
        }
      }
    }
  }
};

// Strips that are packed on the way lie in scratch memory, this much at a time.
inline constexpr int64_t kSlabBytes = int64_t{2} << 20;

template <class T>
inline void linear_blocks_of(const LinearBlocksArgs& a) {
  const int products = a.gated ? 1 : a.count;
  bool packed = true;
  int64_t strips = 0, widest = 0;
  for (int p = 0; p < a.count; ++p) {
    packed = packed && a.parts[p].strips;
    const int64_t bytes = StripLayout{strip_format(a.parts[p].w_dtype), a.k}.bytes();
    widest = bytes > widest ? bytes : widest;
    if (p < products) strips += strip_count(a.parts[p].n);
  }
  const int64_t slab = packed ? 0 : kSlabBytes / (widest + 1) + 1;  // strips
  RoundedInput x(a);
  const int64_t x_bytes = x.bytes();
  char* const memory = static_cast<char*>(scratch(x_bytes + 2 * slab * widest));
  x.round<T>(a, memory);
  const StripRange<T> range{a, x};
  const int64_t grain = kProductGrain / (a.m * a.k * kStripRows + 1) + 1;
  if (packed) {
    // All parts as one run of strips.
    balanced_for(strips, grain, [&](int64_t begin, int64_t end) {
      for (int p = 0; p < products; ++p) {
        const int64_t count = strip_count(a.parts[p].n);
        const int64_t from = begin > 0 ? begin : 0, to = end < count ? end : count;
        const uint8_t* const data[2] = {static_cast<const uint8_t*>(a.parts[p].w),
                                        a.gated ? static_cast<const uint8_t*>(a.parts[1].w) : nullptr};
        if (from < to) range.run(p, data, 0, from, to);
        begin -= count;
        end -= count;
      }
    });
    return;
  }
  uint8_t* const slabs[2] = {reinterpret_cast<uint8_t*>(memory + x_bytes),
                             reinterpret_cast<uint8_t*>(memory + x_bytes + slab * widest)};
  for (int p = 0; p < products; ++p) {
    const int64_t count = strip_count(a.parts[p].n);
    for (int64_t first = 0; first < count; first += slab) {
      const int64_t here = count - first < slab ? count - first : slab;
      const uint8_t* data[2] = {slabs[0], slabs[1]};
      for (int i = 0; i < (a.gated ? 2 : 1); ++i) {
        const BlockProduct& part = a.parts[p + i];
        const int64_t bytes = StripLayout{strip_format(part.w_dtype), a.k}.bytes();
        if (part.strips) {
          data[i] = static_cast<const uint8_t*>(part.w) + first * bytes;
          continue;
        }
        parallel_for(here, kHeavyGrain / (kStripRows * a.k) + 1, [&](int64_t begin, int64_t end) {
          pack_strip_range({part.n, a.k, part.w, part.w_dtype, nullptr, part.scales}, first + begin,
                           first + end, slabs[i] + begin * bytes);
        });
      }
      const uint8_t* const ready[2] = {data[0], data[1]};
      parallel_for(here, grain, [&](int64_t begin, int64_t end) {
        range.run(p, ready, first, first + begin, first + end);
      });
    }
  }
}

inline bool linear_blocks(const LinearBlocksArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() { linear_blocks_of<T>(a); });
}

}  // namespace quern::backend::cpu::QUERN_ISA
