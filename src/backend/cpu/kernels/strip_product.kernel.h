// Rows of x, rounded to 8 bits, times one strip of a block-quantised matrix (tensor/strips.h) with dot products of
// bytes. Every element sums its groups in order of k with the same operations, whatever the number of rows.
#pragma once

#include "backend/cpu/kernels/pack_strips.kernel.h"
#include "backend/cpu/kernels/rounded_rows.kernel.h"
#include QUERN_STRIP

namespace quern::backend::cpu::QUERN_ISA {

// Where a value's level stands, with the format's zero added.
inline constexpr uint8_t kIq4Codes[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                          129, 141, 153, 166, 181, 197, 217, 241};
inline constexpr uint8_t kFp4Codes[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};
inline constexpr uint8_t kNf4Codes[16] = {16,  50,  69,  84,  96,  107, 118, 128,
                                          137, 146, 156, 166, 177, 191, 209, 240};
inline constexpr const uint8_t (&codes_of(StripLevels levels))[16] {
  return levels == StripLevels::iq4 ? kIq4Codes : levels == StripLevels::fp4 ? kFp4Codes : kNf4Codes;
}

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
    for (Codes& quad : quads) quad = quad.lookup(codes_of(F.levels));
  }
}

// The scales, or with `kMins` the mins, of run `run` of a group.
template <StripFormat F, bool kMins>
inline const uint8_t* scale_at(const uint8_t* scales, int run) {
  constexpr StripLayout kUnit{F, kStripGroup};
  return scales + (run + (kMins ? kUnit.scale_runs() : 0)) * kStripRows * kUnit.scale_size();
}
template <StripFormat F, bool kMins>
inline Floats load_scale(const uint8_t* scales, int run) {
  const uint8_t* at = scale_at<F, kMins>(scales, run);
  if constexpr (F.scale == StripScale::f16) return Floats::load(reinterpret_cast<const float16*>(at));
  if constexpr (F.scale == StripScale::bf16) return Floats::load(reinterpret_cast<const bfloat16*>(at));
  return Floats::load(reinterpret_cast<const float*>(at));
}
template <StripFormat F, bool kMins>
inline Ints load_fine(const uint8_t* scales, int run) {
  return Ints::load(reinterpret_cast<const int8_t*>(scale_at<F, kMins>(scales, run)));
}

// The largest code.
template <StripFormat F>
inline constexpr int kMostCode = F.levels == StripLevels::linear ? (1 << F.bits) - 1
                                 : F.levels == StripLevels::fp4  ? 28
                                                                 : codes_of(F.levels)[15];

// Bytes ahead, to L2 and to L1: the hardware's own stops at the end of every page.
inline constexpr int64_t kFarPrefetch = 12288, kNearPrefetch = 3072;

template <StripFormat F>
inline void prefetch_codes(const uint8_t* codes) {
  for (int64_t i = 0; i < StripLayout{F, kStripGroup}.code_bytes(); i += 64) {
    __builtin_prefetch(codes + kFarPrefetch + i, 0, 2);
    __builtin_prefetch(codes + kNearPrefetch + i);
  }
}

// A strip's codes, group after group.
template <StripFormat F>
struct PackedCodes {
  const uint8_t* at;
  // The quads of the next group, ready.
  void next(Codes (&quads)[8]) {
    prefetch_codes<F>(at);
    load_quads<F>(at, quads);
    for (Codes& quad : quads) quad = ready<F.zero>(quad);
    at += StripLayout{F, kStripGroup}.code_bytes();
  }
};

// Adds the products of `count` groups with the first `kRows` rows of x. `scales`: of the first of them.
template <StripFormat F, int kRows>
inline void add_groups(PackedCodes<F> groups, const uint8_t* scales, int64_t count, const RoundedRows& x,
                       Floats (&sums)[kRows]) {
  constexpr StripLayout kUnit{F, kStripGroup};
  constexpr int kRuns = kStripGroup / F.columns_per_scale, kQuads = 8 / kRuns, kMost = kMostCode<F>;
  constexpr int kAtOnce = kRowsInTurn<kRows>;
  for (int64_t g = 0; g < count; ++g, scales += kUnit.scale_bytes()) {
    Codes quads[8];
    groups.next(quads);
    Floats scale[kRuns], mins[kRuns];
    for (int run = 0; run < kRuns; ++run) {
      scale[run] = load_scale<F, false>(scales, run);
      if constexpr (F.mins) mins[run] = load_scale<F, true>(scales, run);
    }
#pragma GCC unroll 16
    for (int first = 0; first < kRows; first += kAtOnce) {
      const RoundedGroup* rows[kAtOnce];
      const int8_t* codes[kAtOnce];
      Ints dots[kRuns][kAtOnce];
#pragma GCC unroll 16
      for (int r = 0; r < kAtOnce; ++r) {
        rows[r] = x.row<RoundedGroup>(first + r) + g;
        codes[r] = rows[r]->codes;
        for (int run = 0; run < kRuns; ++run)
          dots[run][r] = first_sum<F.zero>(&rows[r]->minus_sums[kRuns == 1 ? 0 : 1 + run]);
      }
      add_dots<F.zero, kMost, kQuads>(dots[0], quads, codes);
      if constexpr (kRuns == 2) {
#pragma GCC unroll 16
        for (int r = 0; r < kAtOnce; ++r) codes[r] += 16;
        add_dots<F.zero, kMost, kQuads>(dots[1], quads + 4, codes);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kAtOnce; ++r) {
        Floats product = Floats::from(dots[0][r]) * scale[0];
        if constexpr (kRuns == 2) product = multiply_add(Floats::from(dots[1][r]), scale[1], product);
        Floats& sum = sums[first + r];
        sum = multiply_add(product, Floats::broadcast(&rows[r]->scale), sum);
        if constexpr (F.mins) {
          for (int run = 0; run < kRuns; ++run)
            sum = multiply_add(mins[run], Floats::broadcast(&rows[r]->scaled_sums[kRuns == 1 ? 0 : 1 + run]),
                               sum);
        }
      }
    }
  }
}

// Numbers of 16 bits that go with the sums of x of 256 columns: mins, or scales where codes have a zero. Two runs of
// columns to an element.
template <StripFormat F>
struct OffsetPairs {
  static constexpr int kCount = kStripSuper / F.columns_per_scale / 2;
  Ints pairs[kCount];

  // `scales`: of the first of 8 groups.
  explicit OffsetPairs(const uint8_t* scales) {
    constexpr int64_t kBytes = StripLayout{F, kStripGroup}.scale_bytes();
    for (int i = 0; i < kCount; ++i) {
      if constexpr (F.columns_per_scale == 16)
        pairs[i] = paired(load_fine<F, F.mins>(scales + i * kBytes, 0),
                          load_fine<F, F.mins>(scales + i * kBytes, 1));
      else
        pairs[i] = paired(load_fine<F, F.mins>(scales + 2 * i * kBytes, 0),
                          load_fine<F, F.mins>(scales + (2 * i + 1) * kBytes, 0));
    }
  }
  Ints times(const RoundedSuper& x) const {
    const int16_t* sums = F.columns_per_scale == 16 ? x.sums : x.wide_sums;
    Ints sum = Ints::zero();
    for (int i = 0; i < kCount; ++i) sum = dot_pairs(sum, pairs[i], sums + 2 * i);
    return sum;
  }
};

// What one row of 256 columns adds to a sum: its products with codes, zeros not taken off but for those in `kZero`, and
// with mins or scales; `scales` and `mins` are the f16 that all columns share.
template <StripFormat F, int kZero>
inline Floats add_super(Ints product, Ints offset, Floats scales, Floats mins, const RoundedSuper& x,
                        Floats sum) {
  if constexpr (kZero > 0) product = product - offset.template times<kZero>();
  sum = multiply_add(Floats::from(product) * scales, Floats::broadcast(&x.scale), sum);
  if constexpr (F.mins) sum = multiply_add(Floats::from(offset) * mins, Floats::broadcast(&x.scale), sum);
  return sum;
}

// The same of 256 columns with fine scales, the s-th of their kind: sums over them are exact. `scales`: of the first group;
// `shared`: the f16.
template <StripFormat F, int kRows>
inline PackedCodes<F> add_columns(PackedCodes<F> groups, const uint8_t* scales, const uint8_t* shared,
                                  int64_t s, const RoundedRows& x, Floats (&sums)[kRows]) {
  static_assert(!F.mins || F.zero == 0);
  constexpr StripLayout kUnit{F, kStripGroup};
  constexpr int kGroups = kStripSuper / kStripGroup, kRuns = kStripGroup / F.columns_per_scale,
                kQuads = 8 / kRuns, kMost = kMostCode<F>;
  constexpr bool kOffsets = F.mins || kZeroLeft < F.zero >> 0;
  Ints products[kRows];
  const int8_t* codes[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    products[r] = Ints::zero();
    codes[r] = x.row<RoundedSuper>(r)[s].codes;
  }
  for (int g = 0; g < kGroups; ++g) {
    Codes quads[8];
    groups.next(quads);
    for (int run = 0; run < kRuns; ++run) {
      add_weighed_dots<F.zero, kMost, kQuads>(
          products, quads + run * kQuads, codes,
          weights_of(load_fine<F, false>(scales + g * kUnit.scale_bytes(), run)));
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) codes[r] += F.columns_per_scale;
    }
  }
  const auto* halves = reinterpret_cast<const float16*>(shared);
  const Floats scale = Floats::load(halves);
  Floats min = Floats::zero();
  if constexpr (F.mins) min = Floats::load(halves + kStripRows);
  const OffsetPairs<F> offsets(scales);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const RoundedSuper& row = x.row<RoundedSuper>(r)[s];
    const Ints offset = kOffsets ? offsets.times(row) : Ints::zero();
    sums[r] = add_super<F, kZeroLeft<F.zero>>(products[r], offset, scale, min, row, sums[r]);
  }
  return groups;
}

// Where the parts of one strip lie.
template <StripFormat F>
struct StripParts {
  static constexpr StripLayout kUnit{F, kStripGroup};
  const uint8_t *shared, *scales, *codes;
  int64_t groups;

  StripParts(const uint8_t* strip, int64_t columns) : shared(strip) {
    const StripLayout layout{F, columns};
    scales = strip + layout.scales_at();
    codes = strip + layout.codes_at();
    groups = layout.groups();
  }
  const uint8_t* scales_of(int64_t group) const { return scales + group * kUnit.scale_bytes(); }
  const uint8_t* codes_of(int64_t group) const { return codes + group * kUnit.code_bytes(); }
  const uint8_t* shared_of(int64_t super) const { return shared + super * kUnit.super_bytes(); }
};

// The first `kRows` rows of x times one strip: out [kRows][16].
template <StripFormat F, int kRows>
inline void multiply_strip(const uint8_t* strip, const RoundedRows& x, float* out) {
  const StripParts<F> parts(strip, x.columns);
  PackedCodes<F> codes{parts.codes};
  Floats sums[kRows];
  for (Floats& sum : sums) sum = Floats::zero();
  if constexpr (F.scale == StripScale::fine) {
    for (int64_t s = 0; s < x.columns / kStripSuper; ++s)
      codes = add_columns<F, kRows>(codes, parts.scales_of(8 * s), parts.shared_of(s), s, x, sums);
  } else {
    add_groups<F, kRows>(codes, parts.scales, parts.groups, x, sums);
  }
  for (int r = 0; r < kRows; ++r) sums[r].store(out + r * kStripRows);
}

// Rows of x that share one reading of a strip's codes.
inline constexpr int kManyRows = kWidth == 16 ? 12 : 4;

template <StripFormat F>
inline void multiply_rows(const uint8_t* strip, const RoundedRows& x, float* out) {
  int64_t r = 0;
  for (; r + kManyRows <= x.count; r += kManyRows)
    multiply_strip<F, kManyRows>(strip, x.from(r, kManyRows), out + r * kStripRows);
  if constexpr (kManyRows > 4) {
    for (; r + 4 <= x.count; r += 4) multiply_strip<F, 4>(strip, x.from(r, 4), out + r * kStripRows);
  }
  for (; r < x.count; ++r) multiply_strip<F, 1>(strip, x.from(r, 1), out + r * kStripRows);
}

}  // namespace quern::backend::cpu::QUERN_ISA
