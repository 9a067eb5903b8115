// Products of rows, rounded to 8 bits, with block-quantised matrices in strips (tensor/strips.h). Every element sums
// its groups in order of k with the same operations, whatever the number of rows: a row's bits are its own.
#pragma once

#include "backend/cpu/kernels/activation.kernel.h"
#include "backend/cpu/kernels/pack_strips.kernel.h"
#include "backend/cpu/kernels/support.h"
#include "backend/cpu/scratch.h"
#include QUERN_STRIP

namespace quern::backend::cpu::QUERN_ISA {

// 32 columns of a row of x as whole numbers. Sums are of the codes: what zeros and mins of the other factor multiply.
struct alignas(64) RoundedGroup {
  int8_t codes[32];
  float scale;
  float scaled_sums[3];   // scale times the sum of both halves, of the first 16, of the others
  int32_t minus_sums[3];  // less the sum of the same
  int32_t unused;
};

// A NaN or an infinity among x makes the scale a NaN: it spoils its row, as it would in exact arithmetic.
template <class T>
inline void round_group(const T* x, RoundedGroup& to) {
  alignas(64) float values[32];
  Vec largest(0.0f), poison(0.0f);
  for (int i = 0; i < 32; i += kWidth) {
    const Vec v = Vec::load(x + i);
    v.store(values + i);
    largest = max(abs(v), largest);
    poison = fma(v, Vec(0.0f), poison);
  }
  const float most = max_lanes(largest);
  to.scale = most / 127.0f + sum_lanes(poison);
  const float inverse = most > 0.0f && most <= 0x1.fffffep127f ? 127.0f / most : 0.0f;
  int32_t sums[2] = {};
  for (int half = 0; half < 2; ++half) {
    for (int i = 16 * half; i < 16 * half + 16; ++i) {
      // Adding this rounds to the nearest, ties to even, in the lowest bits; of a NaN they are anything.
      const float rounded = values[i] * inverse + 0x1.8p23f;
      const int32_t code = static_cast<int8_t>(__builtin_bit_cast(int32_t, rounded) & 0xff);
      to.codes[i] = static_cast<int8_t>(code);
      sums[half] += code;
    }
  }
  const int32_t all[3] = {sums[0] + sums[1], sums[0], sums[1]};
  for (int i = 0; i < 3; ++i) {
    to.scaled_sums[i] = to.scale * static_cast<float>(all[i]);
    to.minus_sums[i] = -all[i];
  }
}

// Where a value's level stands, with the format's zero added.
inline constexpr uint8_t kIq4Codes[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                          129, 141, 153, 166, 181, 197, 217, 241};
inline constexpr uint8_t kFp4Codes[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

// The quads of a group.
template <StripFormat F>
inline void load_quads(const uint8_t* planes, Codes (&quads)[8]) {
  if constexpr (F.bits == 8) {
    for (int q = 0; q < 8; ++q) quads[q] = Codes::load(planes + 64 * q);
    return;
  }
  const uint8_t* high = planes + (F.bits >= 4 ? 256 : 128);
  if constexpr (F.bits >= 4) {
    for (int p = 0; p < 4; ++p) {
      const Codes plane = Codes::load(planes + 64 * p);
      quads[p] = plane.template bits<0>(15);
      quads[p + 4] = plane.template bits<-4>(15);
    }
  } else {
    for (int p = 0; p < 2; ++p) {
      const Codes plane = Codes::load(planes + 64 * p);
      quads[4 * p] = plane.template bits<0>(3);
      quads[4 * p + 1] = plane.template bits<-2>(3);
      quads[4 * p + 2] = plane.template bits<-4>(3);
      quads[4 * p + 3] = plane.template bits<-6>(3);
    }
  }
  if constexpr (F.bits == 3 || F.bits == 5) {
    constexpr int kTop = F.bits - 1;
    constexpr uint8_t kBit = 1 << kTop;
    const Codes plane = Codes::load(high);
    quads[0] = quads[0] | plane.template bits<kTop>(kBit);
    quads[1] = quads[1] | plane.template bits<kTop - 1>(kBit);
    quads[2] = quads[2] | plane.template bits<kTop - 2>(kBit);
    quads[3] = quads[3] | plane.template bits<kTop - 3>(kBit);
    quads[4] = quads[4] | plane.template bits<kTop - 4>(kBit);
    quads[5] = quads[5] | plane.template bits<kTop - 5>(kBit);
    quads[6] = quads[6] | plane.template bits<kTop - 6>(kBit);
    quads[7] = quads[7] | plane.template bits<kTop - 7>(kBit);
  }
  if constexpr (F.bits == 6) {
    for (int p = 0; p < 2; ++p) {
      const Codes plane = Codes::load(high + 64 * p);
      quads[4 * p] = quads[4 * p] | plane.template bits<4>(0x30);
      quads[4 * p + 1] = quads[4 * p + 1] | plane.template bits<2>(0x30);
      quads[4 * p + 2] = quads[4 * p + 2] | plane.template bits<0>(0x30);
      quads[4 * p + 3] = quads[4 * p + 3] | plane.template bits<-2>(0x30);
    }
  }
  if constexpr (F.levels != StripLevels::linear) {
    for (Codes& quad : quads) quad = quad.lookup(F.levels == StripLevels::iq4 ? kIq4Codes : kFp4Codes);
  }
}

// The scales, or with `kMins` the mins, of run `run` of a group: numbers of the strip's f16 or of its own.
template <StripFormat F, bool kMins>
inline Floats load_scale(const uint8_t* supers, const uint8_t* scales, int run) {
  constexpr StripLayout kUnit{F, kStripGroup};
  const uint8_t* at = scales + (run + (kMins ? kUnit.scale_runs() : 0)) * kStripRows * kUnit.scale_size();
  switch (F.scale) {
    case StripScale::f16:
      return Floats::load(reinterpret_cast<const float16*>(at));
    case StripScale::bf16:
      return Floats::load(reinterpret_cast<const bfloat16*>(at));
    case StripScale::f32:
      return Floats::load(reinterpret_cast<const float*>(at));
    default:
      return Floats::load(reinterpret_cast<const float16*>(supers) + (kMins ? kStripRows : 0)) *
             Floats::load(reinterpret_cast<const int8_t*>(at));
  }
}

// The exact sum of codes times codes over `kCount` quads from `kFirst` on, zeros taken off; `run` picks the sum of x.
template <StripFormat F, int kFirst, int kCount>
inline Ints dot_quads(const Codes (&quads)[8], const RoundedGroup& x, int run) {
  Ints sum = first_sum<F.zero>(&x.minus_sums[run]);
  for (int q = kFirst; q < kFirst + kCount; ++q) sum = dot<F.zero>(sum, quads[q], x.codes + 4 * q);
  return sum;
}

// Bytes ahead, to L2 and to L1: the hardware's own stops at the end of every page.
inline constexpr int64_t kFarPrefetch = 8192, kNearPrefetch = 1024;

// `kRows` rows of x, `groups` apart, times one strip: out [kRows][16].
template <StripFormat F, int kRows>
inline void multiply_strip(const uint8_t* strip, int64_t groups, const RoundedGroup* x, float* out) {
  constexpr StripLayout kUnit{F, kStripGroup};
  const StripLayout layout{F, groups * kStripGroup};
  const uint8_t* scales = strip + layout.scales_at();
  const uint8_t* codes = strip + layout.codes_at();
  Floats sums[kRows];
  for (Floats& sum : sums) sum = Floats::zero();
  for (int64_t g = 0; g < groups; ++g, scales += kUnit.scale_bytes(), codes += kUnit.code_bytes()) {
    const uint8_t* supers = strip + g / (kStripSuper / kStripGroup) * kUnit.super_bytes();
    for (int64_t i = 0; i < kUnit.code_bytes(); i += 64) {
      __builtin_prefetch(codes + kFarPrefetch + i, 0, 2);
      __builtin_prefetch(codes + kNearPrefetch + i);
    }
    Codes quads[8];
    load_quads<F>(codes, quads);
    const Floats scale = load_scale<F, false>(supers, scales, 0);
    if constexpr (F.columns_per_scale == 32) {
      Floats min = Floats::zero();
      if constexpr (F.mins) min = load_scale<F, true>(supers, scales, 0);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const RoundedGroup& row = x[r * groups + g];
        const Floats product = Floats::from(dot_quads<F, 0, 8>(quads, row, 0)) * scale;
        sums[r] = multiply_add(product, Floats::broadcast(&row.scale), sums[r]);
        if constexpr (F.mins) sums[r] = multiply_add(min, Floats::broadcast(&row.scaled_sums[0]), sums[r]);
      }
    } else {
      const Floats second = load_scale<F, false>(supers, scales, 1);
      Floats mins[2] = {Floats::zero(), Floats::zero()};
      if constexpr (F.mins) {
        mins[0] = load_scale<F, true>(supers, scales, 0);
        mins[1] = load_scale<F, true>(supers, scales, 1);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const RoundedGroup& row = x[r * groups + g];
        const Floats product = multiply_add(Floats::from(dot_quads<F, 4, 4>(quads, row, 2)), second,
                                            Floats::from(dot_quads<F, 0, 4>(quads, row, 1)) * scale);
        sums[r] = multiply_add(product, Floats::broadcast(&row.scale), sums[r]);
        if constexpr (F.mins) {
          sums[r] = multiply_add(mins[0], Floats::broadcast(&row.scaled_sums[1]), sums[r]);
          sums[r] = multiply_add(mins[1], Floats::broadcast(&row.scaled_sums[2]), sums[r]);
        }
      }
    }
  }
  for (int r = 0; r < kRows; ++r) sums[r].store(out + r * kStripRows);
}

// Rows of x that share one reading of a strip's codes.
inline constexpr int kManyRows = kWidth == 16 ? 12 : 4;

template <StripFormat F>
inline void multiply_rows(const uint8_t* strip, int64_t groups, const RoundedGroup* x, int64_t rows,
                          float* out) {
  int64_t r = 0;
  for (; r + kManyRows <= rows; r += kManyRows)
    multiply_strip<F, kManyRows>(strip, groups, x + r * groups, out + r * kStripRows);
  if constexpr (kManyRows > 4) {
    for (; r + 4 <= rows; r += 4) multiply_strip<F, 4>(strip, groups, x + r * groups, out + r * kStripRows);
  }
  for (; r < rows; ++r) multiply_strip<F, 1>(strip, groups, x + r * groups, out + r * kStripRows);
}

using StripProduct = void (*)(const uint8_t* strip, int64_t groups, const RoundedGroup* x, int64_t rows,
                              float* out);
inline StripProduct strip_product(DType dtype) {
  StripProduct found = nullptr;
  visit_strips(dtype, [&]<class Block, StripFormat F>() { found = multiply_rows<F>; });
  return found;
}

// Rows of x that are multiplied with one strip after the other: they stay in the L2 cache.
inline constexpr int64_t kMaxStripRows = 192;
inline int64_t rows_at_a_time(int64_t groups) {
  const int64_t fitting = (int64_t{1} << 20) / (groups * static_cast<int64_t>(sizeof(RoundedGroup)));
  return fitting < kManyRows       ? kManyRows
         : fitting > kMaxStripRows ? kMaxStripRows
                                   : fitting / kManyRows * kManyRows;
}

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
  const RoundedGroup* x;

  // `strips`: those of parts p (and p + 1, when gated), from strip `first` on.
  void run(int part, const uint8_t* const (&strips)[2], int64_t first, int64_t begin, int64_t end) const {
    const int64_t groups = a.k / kStripGroup, step = rows_at_a_time(groups);
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
          strip_product(p[i].w_dtype)(strips[i] + (s - first) * bytes, groups, x + row * groups, rows, to);
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
  const int64_t groups = a.k / kStripGroup;
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
  const int64_t x_bytes = a.m * groups * static_cast<int64_t>(sizeof(RoundedGroup));
  char* const memory = static_cast<char*>(scratch(x_bytes + 2 * slab * widest));
  RoundedGroup* const x = reinterpret_cast<RoundedGroup*>(memory);
  parallel_for(a.m, row_grain(kHeavyGrain, a.k), [&](int64_t begin, int64_t end) {
    for (int64_t g = begin * groups; g < end * groups; ++g)
      round_group(static_cast<const T*>(a.x) + g * kStripGroup, x[g]);
  });
  const StripRange<T> range{a, x};
  const int64_t grain = kProductGrain / (a.m * a.k * kStripRows + 1) + 1;
  if (packed) {
    // All parts as one run of strips, cut evenly.
    parallel_for(strips, grain, [&](int64_t begin, int64_t end) {
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
          pack_strip_range({part.n, a.k, part.w, part.w_dtype, nullptr}, first + begin, first + end,
                           slabs[i] + begin * bytes);
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
