// Rows of x, rounded to 8 bits, times one strip on AVX2, for many rows: the sums of strip_product.kernel.h, bit for bit.
//
// 256 columns of the strip at a time are unpacked into a panel that all rows meet, one half of the strip's 16 rows after
// the other: the sums of eight rows of x with one half fill eight of the 16 registers. Products of codes and x are added
// in 16 bits as long as these hold them, and meet their fine scale in the multiplication that widens them. Codes with a
// zero of 128 have no panels: each pair of their products fills 16 bits.
#pragma once

#include <immintrin.h>

#include "backend/cpu/kernels/strip_product.kernel.h"

namespace quern::backend::cpu::QUERN_ISA {

inline constexpr int kHalfRows = kStripRows / 2;
inline constexpr int kPanelQuads = kStripSuper / 4;
inline constexpr int64_t kPanelGroups = kStripSuper / kStripGroup;

inline __m256i broadcast_quad(const void* four) {
  int32_t bits;
  std::memcpy(&bits, four, 4);
  return _mm256_set1_epi32(bits);
}

// A group's scales, or with `kMins` its mins, of half the rows.
template <StripFormat F, bool kMins>
inline Vec load_half_scale(const uint8_t* scales, int run, int half) {
  const uint8_t* at = scale_at<F, kMins>(scales, run);
  if constexpr (F.scale == StripScale::f16)
    return Vec::load(reinterpret_cast<const float16*>(at) + half * kHalfRows);
  if constexpr (F.scale == StripScale::bf16)
    return Vec::load(reinterpret_cast<const bfloat16*>(at) + half * kHalfRows);
  return Vec::load(reinterpret_cast<const float*>(at) + half * kHalfRows);
}

// Adds what a group's products, exact sums of its runs, come to.
template <StripFormat F, int kRuns>
inline Vec add_group(const __m256i (&dots)[kRuns], const Vec (&scales)[kRuns], const Vec (&mins)[kRuns],
                     const RoundedGroup& x, Vec sum) {
  Vec product = Vec{_mm256_cvtepi32_ps(dots[0])} * scales[0];
  if constexpr (kRuns == 2) product = fma(Vec{_mm256_cvtepi32_ps(dots[1])}, scales[1], product);
  sum = fma(product, Vec(x.scale), sum);
  if constexpr (F.mins) {
    for (int run = 0; run < kRuns; ++run)
      sum = fma(mins[run], Vec(x.scaled_sums[kRuns == 1 ? 0 : 1 + run]), sum);
  }
  return sum;
}

inline __m256i load_ints(const void* p) { return _mm256_load_si256(static_cast<const __m256i*>(p)); }
inline void store_ints(void* p, __m256i v) { _mm256_store_si256(static_cast<__m256i*>(p), v); }

// The first group of a panel in its strip, and how many it has.
struct PanelRange {
  int64_t begin, groups;
};

template <StripFormat F>
struct alignas(64) StripPanel {
  static constexpr int kMostRows = 8;
  static constexpr bool kFine = F.scale == StripScale::fine, kOffsets = kFine && (F.mins || F.zero > 0);
  static constexpr int kRuns = kStripGroup / F.columns_per_scale, kQuads = 8 / kRuns;  // of a group, of a run
  static constexpr int kFitting = kQuadsOfPairs<F.zero, kMostCode<F>>,
                       kTogether = kFitting < 4 ? kFitting : 4;

  uint8_t codes[2][kPanelQuads][4 * kHalfRows];
  int16_t weights[2][kPanelGroups * kRuns][2 * kHalfRows];    // fine scales, twice each
  int16_t offsets[2][OffsetPairs<F>::kCount][2 * kHalfRows];  // what meets sums of x

  void unpack(const StripParts<F>& parts, PanelRange at) {
    PackedCodes<F> packed{parts.codes_of(at.begin)};
    for (int64_t g = 0; g < at.groups; ++g) {
      Codes quads[8];
      packed.next(quads);
      for (int q = 0; q < 8; ++q) {
        store_ints(codes[0][8 * g + q], quads[q].low);
        store_ints(codes[1][8 * g + q], quads[q].high);
      }
      if constexpr (kFine) {
        for (int run = 0; run < kRuns; ++run) {
          const Ints w = weights_of(load_fine<F, false>(parts.scales_of(at.begin + g), run)).pairs;
          store_ints(weights[0][g * kRuns + run], w.low);
          store_ints(weights[1][g * kRuns + run], w.high);
        }
      }
    }
    if constexpr (kOffsets) {
      const OffsetPairs<F> pairs(parts.scales_of(at.begin));
      for (int i = 0; i < OffsetPairs<F>::kCount; ++i) {
        store_ints(offsets[0][i], pairs.pairs[i].low);
        store_ints(offsets[1][i], pairs.pairs[i].high);
      }
    }
  }

  // Adds the products of a run of quads with as many of x, from `at` on, each pair times `weights`.
  template <int kRows>
  static void add_run(__m256i (&sums)[kRows], const uint8_t (*quads)[32], const int8_t* const (&x)[kRows],
                      int64_t at, __m256i weights) {
#pragma GCC unroll 8
    for (int first = 0; first < kQuads; first += kTogether) {
      __m256i quad[kTogether];
#pragma GCC unroll 8
      for (int q = 0; q < kTogether; ++q) quad[q] = load_ints(quads[first + q]);
#pragma GCC unroll 8
      for (int row = 0; row < kRows; ++row) {
        const int8_t* four = x[row] + at + 4 * first;
        __m256i pairs = _mm256_maddubs_epi16(quad[0], broadcast_quad(four));
#pragma GCC unroll 8
        for (int q = 1; q < kTogether; ++q)
          pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(quad[q], broadcast_quad(four + 4 * q)));
        sums[row] = _mm256_add_epi32(sums[row], _mm256_madd_epi16(pairs, weights));
      }
    }
  }

  // Adds the panel's products with rows of x to out [kRows][16].
  template <int kRows>
  void add_to(const StripParts<F>& parts, PanelRange at, const RoundedRows& x, float* out) const {
    for (int half = 0; half < 2; ++half) {
      if constexpr (kFine)
        add_super_of<kRows>(parts, at.begin / kPanelGroups, half, x, out + half * kHalfRows);
      else
        add_groups_of<kRows>(parts, at, half, x, out + half * kHalfRows);
    }
  }

 private:
  template <int kRows>
  void add_super_of(const StripParts<F>& parts, int64_t super, int half, const RoundedRows& x,
                    float* out) const {
    __m256i sums[kRows];
    const int8_t* x_codes[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      sums[r] = _mm256_setzero_si256();
      x_codes[r] = x.row<RoundedSuper>(r)[super].codes;
    }
    for (int64_t i = 0; i < kPanelGroups * kRuns; ++i)
      add_run(sums, codes[half] + i * kQuads, x_codes, i * F.columns_per_scale, load_ints(weights[half][i]));
    const auto* halves = reinterpret_cast<const float16*>(parts.shared_of(super)) + half * kHalfRows;
    const Vec scale = Vec::load(halves);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const RoundedSuper& row = x.row<RoundedSuper>(r)[super];
      __m256i offset = _mm256_setzero_si256();
      if constexpr (kOffsets) {
        const int16_t* x_sums = F.columns_per_scale == 16 ? row.sums : row.wide_sums;
        for (int i = 0; i < OffsetPairs<F>::kCount; ++i)
          offset = _mm256_add_epi32(
              offset, _mm256_madd_epi16(load_ints(offsets[half][i]), broadcast_quad(x_sums + 2 * i)));
        if constexpr (F.zero > 0)
          sums[r] = _mm256_sub_epi32(sums[r], _mm256_slli_epi32(offset, __builtin_ctz(F.zero)));
      }
      float* to = out + r * kStripRows;
      Vec sum = fma(Vec{_mm256_cvtepi32_ps(sums[r])} * scale, Vec(row.scale), Vec::load(to));
      if constexpr (F.mins)
        sum = fma(Vec{_mm256_cvtepi32_ps(offset)} * Vec::load(halves + kStripRows), Vec(row.scale), sum);
      sum.store(to);
    }
  }

  template <int kRows>
  void add_groups_of(const StripParts<F>& parts, PanelRange at, int half, const RoundedRows& x,
                     float* out) const {
    const RoundedGroup* rows[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) rows[r] = x.row<RoundedGroup>(r) + at.begin;
    for (int64_t g = 0; g < at.groups; ++g) {
      const uint8_t* scales = parts.scales_of(at.begin + g);
      const int8_t* x_codes[kRows];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) x_codes[r] = rows[r][g].codes;
      Vec scale[kRuns], mins[kRuns];
      __m256i dots[kRuns][kRows];
#pragma GCC unroll 2
      for (int run = 0; run < kRuns; ++run) {
        scale[run] = load_half_scale<F, false>(scales, run, half);
        if constexpr (F.mins) mins[run] = load_half_scale<F, true>(scales, run, half);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r)
          dots[run][r] = first_sum<F.zero>(&rows[r][g].minus_sums[kRuns == 1 ? 0 : 1 + run]).low;
        add_run(dots[run], codes[half] + 8 * g + run * kQuads, x_codes, run * F.columns_per_scale,
                _mm256_set1_epi16(1));
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        __m256i of_row[kRuns];
        for (int run = 0; run < kRuns; ++run) of_row[run] = dots[run][r];
        float* to = out + r * kStripRows;
        add_group<F>(of_row, scale, mins, rows[r][g], Vec::load(to)).store(to);
      }
    }
  }
};

// Fewer rows are faster with codes as they lie.
inline constexpr int64_t kFewestPanelRows = 8;

// All rows of x times one strip.
template <StripFormat F>
inline void multiply_on_panels(const uint8_t* strip, const RoundedRows& x, float* out) {
  using Panel = StripPanel<F>;
  const StripParts<F> parts(strip, x.columns);
  __builtin_memset(out, 0, static_cast<std::size_t>(x.count * kStripRows) * sizeof(float));
  Panel panel;
  for (int64_t begin = 0; begin < parts.groups; begin += kPanelGroups) {
    const int64_t groups = parts.groups - begin < kPanelGroups ? parts.groups - begin : kPanelGroups;
    const PanelRange range{begin, groups};
    panel.unpack(parts, range);
    int64_t r = 0;
    for (; r + Panel::kMostRows <= x.count; r += Panel::kMostRows)
      panel.template add_to<Panel::kMostRows>(parts, range, x.from(r, Panel::kMostRows),
                                              out + r * kStripRows);
    if constexpr (Panel::kMostRows > 4) {
      for (; r + 4 <= x.count; r += 4)
        panel.template add_to<4>(parts, range, x.from(r, 4), out + r * kStripRows);
    }
    for (; r < x.count; ++r) panel.template add_to<1>(parts, range, x.from(r, 1), out + r * kStripRows);
  }
}

}  // namespace quern::backend::cpu::QUERN_ISA
