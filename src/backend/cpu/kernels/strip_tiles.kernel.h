// Rows of x, rounded to 8 bits, times one strip on the tile unit (AMX): the sums of strip_product.kernel.h, bit for bit.
//
// A quad of a strip is a row of a tile as it lies: four columns of k for each of 16 rows of the matrix. Quads are one
// tile product with 16 rows of x, exact in 32 bits; its 16 x 16 results then meet their scales in vectors. Codes are
// decoded once for all rows, with their zeros taken off: bytes with signs hold all of them. Fine scales are multiplied
// into the codes: the products, of 14 bits at most, are two planes of bytes, and sums go on over 256 columns.
#pragma once

#include <immintrin.h>

#include "backend/cpu/kernels/strip_product.kernel.h"
#include "backend/cpu/simd/tile_scope.h"

namespace quern::backend::cpu::QUERN_ISA {

inline constexpr int64_t kTileRows = 16;        // of x
inline constexpr int64_t kFewestTileRows = 12;  // fewer are faster with dot products

// Groups of 32 columns, as many at a time as stay in L1 with 16 rows of x.
inline constexpr int64_t kDecodedGroups = 16;

struct alignas(64) DecodedGroup {
  int8_t codes[8][64];
  float scales[2][16];
  float mins[2][16];
};

template <StripFormat F>
inline void load_signed_quads(const uint8_t* codes, Codes (&quads)[8]) {
  load_quads<F>(codes, quads);
  const __m512i zero = _mm512_set1_epi8(static_cast<char>(F.zero));
  for (Codes& quad : quads) quad.v = _mm512_sub_epi8(quad.v, zero);
}

template <StripFormat F>
inline void decode_groups(const uint8_t* strip, const StripLayout& layout, int64_t begin, int64_t end,
                          DecodedGroup* to) {
  constexpr StripLayout kUnit{F, kStripGroup};
  for (int64_t g = begin; g < end; ++g, ++to) {
    const uint8_t* codes = strip + layout.codes_at() + g * kUnit.code_bytes();
    prefetch_codes<F>(codes);
    Codes quads[8];
    load_signed_quads<F>(codes, quads);
    for (int q = 0; q < 8; ++q) _mm512_store_si512(to->codes[q], quads[q].v);
    const uint8_t* scales = strip + layout.scales_at() + g * kUnit.scale_bytes();
    for (int run = 0; run < kUnit.scale_runs(); ++run) {
      load_scale<F, false>(scales, run).store(to->scales[run]);
      if constexpr (F.mins) load_scale<F, true>(scales, run).store(to->mins[run]);
    }
  }
}

using TileProduct = int32_t[kTileRows][16];

// Adds decoded groups times 16 rows of x to sums [16][16], or to zero where `first`.
template <StripFormat F>
inline void multiply_decoded(const DecodedGroup* decoded, int64_t groups, const RoundedRows& x, int64_t group,
                             bool first, float* sums) {
  constexpr int kRuns = kStripGroup / F.columns_per_scale;
  constexpr int64_t kAhead = 3;  // the tile unit works on later groups while vectors work on one
  alignas(64) TileProduct products[kAhead + 1][2];
  Floats total[kTileRows];
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r) total[r] = first ? Floats::zero() : Floats::load(sums + r * kStripRows);
  const auto multiply = [&](int64_t g) {
    const int8_t* codes = x.row<RoundedGroup>(0)[group + g].codes;
    auto& product = products[g % (kAhead + 1)];
    _tile_loadd(0, codes, x.row_bytes);
    _tile_loadd(1, decoded[g].codes[0], 64);
    _tile_zero(2);
    _tile_dpbssd(2, 0, 1);
    _tile_stored(2, product[0], 64);
    if constexpr (kRuns == 2) {
      _tile_loadd(3, codes + 16, x.row_bytes);
      _tile_loadd(4, decoded[g].codes[4], 64);
      _tile_zero(5);
      _tile_dpbssd(5, 3, 4);
      _tile_stored(5, product[1], 64);
    }
  };
  const auto add = [&](int64_t g) {
    const auto& product = products[g % (kAhead + 1)];
    const DecodedGroup& with = decoded[g];
    const Floats scale = Floats::load(with.scales[0]);
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      const RoundedGroup& row = x.row<RoundedGroup>(r)[group + g];
      Floats sum = Floats::from(Ints::load(product[0][r])) * scale;
      if constexpr (kRuns == 2)
        sum = multiply_add(Floats::from(Ints::load(product[1][r])), Floats::load(with.scales[1]), sum);
      total[r] = multiply_add(sum, Floats::broadcast(&row.scale), total[r]);
      if constexpr (F.mins) {
        static_assert(kRuns == 1);
        total[r] = multiply_add(Floats::load(with.mins[0]), Floats::broadcast(&row.scaled_sums[0]), total[r]);
      }
    }
  };
  for (int64_t g = 0; g < groups + kAhead; ++g) {
    if (g < groups) multiply(g);
    if (g >= kAhead) add(g - kAhead);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r) total[r].store(sums + r * kStripRows);
}

template <StripFormat F>
inline void multiply_groups_on_tiles(const uint8_t* strip, const RoundedRows& x, float* out) {
  const StripLayout layout{F, x.columns};
  TileShapes shapes;
  for (int i = 0; i < 6; i += 3) {
    shapes.set(i, kTileRows, F.columns_per_scale);
    shapes.set(i + 1, F.columns_per_scale / 4, 64);
    shapes.set(i + 2, kTileRows, 64);
  }
  const TileScope tiles(shapes);
  DecodedGroup decoded[kDecodedGroups];
  for (int64_t begin = 0; begin < layout.groups(); begin += kDecodedGroups) {
    const int64_t end = begin + kDecodedGroups < layout.groups() ? begin + kDecodedGroups : layout.groups();
    decode_groups<F>(strip, layout, begin, end, decoded);
    for (int64_t r = 0; r < x.count; r += kTileRows)
      multiply_decoded<F>(decoded, end - begin, x.from(r, kTileRows), begin, begin == 0,
                          out + r * kStripRows);
  }
}

// 256 columns of a strip as two planes of bytes, code * scale = 256 high + low, in tiles of 64 columns.
struct alignas(64) DecodedSuper {
  static constexpr int kTiles = kStripSuper / 64;
  int8_t high[kTiles][16][64];
  int8_t low[kTiles][16][64];
};

// Two quads of one scale.
inline void scale_quads(const Codes* quads, __m512i scale, int8_t* high, int8_t* low) {
  const __m512i zero = _mm512_setzero_si512();
  for (int i = 0; i < 2; ++i) {
    // 256 code * 256 scale, of which the upper 16 bits are kept. Bytes 8 to 15 of each 16 go apart from the others, and
    // the scales of their rows with them.
    const __m512i first =
        _mm512_mulhi_epi16(_mm512_unpacklo_epi8(zero, quads[i].v), _mm512_unpacklo_epi32(scale, scale));
    const __m512i second =
        _mm512_mulhi_epi16(_mm512_unpackhi_epi8(zero, quads[i].v), _mm512_unpackhi_epi32(scale, scale));
    const __m512i half = _mm512_set1_epi16(128), byte = _mm512_set1_epi16(255);
    const __m512i highs = _mm512_packs_epi16(_mm512_srai_epi16(_mm512_add_epi16(first, half), 8),
                                             _mm512_srai_epi16(_mm512_add_epi16(second, half), 8));
    const __m512i lows = _mm512_packus_epi16(_mm512_and_si512(first, byte), _mm512_and_si512(second, byte));
    _mm512_store_si512(high + 64 * i, highs);
    _mm512_store_si512(low + 64 * i, lows);
  }
}

// The scales of 16 rows, each 256 times and twice, beside each other.
inline __m512i wide_scales(Ints scale) {
  const __m512i shifted = _mm512_slli_epi32(scale.v, 8);
  return _mm512_or_si512(_mm512_slli_epi32(shifted, 16),
                         _mm512_and_si512(shifted, _mm512_set1_epi32(0xffff)));
}

// `codes` and `scales`: of the first of 8 groups.
template <StripFormat F>
inline void decode_super(const uint8_t* codes, const uint8_t* scales, DecodedSuper& to) {
  constexpr StripLayout kUnit{F, kStripGroup};
  for (int g = 0; g < 8; ++g, codes += kUnit.code_bytes(), scales += kUnit.scale_bytes()) {
    prefetch_codes<F>(codes);
    Codes quads[8];
    load_signed_quads<F>(codes, quads);
    const __m512i scale = wide_scales(load_fine<F, false>(scales, 0));
    const __m512i second = F.columns_per_scale == 16 ? wide_scales(load_fine<F, false>(scales, 1)) : scale;
    for (int q = 0; q < 8; q += 2)
      scale_quads(quads + q, q < 4 ? scale : second, to.high[g / 2][g % 2 * 8 + q],
                  to.low[g / 2][g % 2 * 8 + q]);
  }
}

// The products of 16 rows of x with 256 columns: planes apart.
struct alignas(64) SuperProduct {
  TileProduct high, low;
};

// The sums of 16 rows of x with 256 columns, 64 columns at a time.
struct SuperTiles {
  static void clear() {
    _tile_zero(2);
    _tile_zero(3);
  }
  static void multiply(const DecodedSuper& decoded, int part, const RoundedSuper& x, int64_t row_bytes) {
    _tile_loadd(0, x.codes + 64 * part, row_bytes);
    _tile_loadd(1, decoded.high[part], 64);
    _tile_dpbssd(2, 0, 1);
    _tile_loadd(4, decoded.low[part], 64);
    _tile_dpbssd(3, 0, 4);
  }
  static void store(SuperProduct& to) {
    _tile_stored(2, to.high, 64);
    _tile_stored(3, to.low, 64);
  }
};

template <StripFormat F>
inline void multiply_supers_on_tiles(const uint8_t* strip, const RoundedRows& x, float* out) {
  constexpr StripLayout kUnit{F, kStripGroup};
  constexpr int kParts = DecodedSuper::kTiles, kRowsOfPart = kTileRows / kParts;
  const StripLayout layout{F, x.columns};
  TileShapes shapes;
  for (int tile = 0; tile < 5; ++tile) shapes.set(tile, 16, 64);
  const TileScope tiles(shapes);
  DecodedSuper decoded;
  SuperProduct products[2];
  const int64_t row_tiles = (x.count + kTileRows - 1) / kTileRows;
  for (int64_t s = 0; s < x.columns / kStripSuper; ++s) {
    const uint8_t* scales = strip + layout.scales_at() + 8 * s * kUnit.scale_bytes();
    decode_super<F>(strip + layout.codes_at() + 8 * s * kUnit.code_bytes(), scales, decoded);
    const auto* shared = reinterpret_cast<const float16*>(strip + s * kUnit.super_bytes());
    const Floats scale = Floats::load(shared);
    Floats min = Floats::zero();
    if constexpr (F.mins) min = Floats::load(shared + kStripRows);
    const OffsetPairs<F> offsets(scales);
    const auto finish = [&](int64_t t, int row) {
      const SuperProduct& product = products[t % 2];
      const RoundedSuper& with = x.row<RoundedSuper>(t * kTileRows + row)[s];
      float* const sums = out + (t * kTileRows + row) * kStripRows;
      const Ints both = Ints::load(product.high[row]).template times<256>() + Ints::load(product.low[row]);
      const Ints offset = F.mins ? offsets.times(with) : Ints::zero();
      const Floats sum = s == 0 ? Floats::zero() : Floats::load(sums);
      add_super<F, 0>(both, offset, scale, min, with, sum).store(sums);
    };
    // Vectors finish one tile of rows while the tile unit is at the next: in turns, since neither looks far ahead.
    for (int64_t t = 0; t <= row_tiles; ++t) {
      if (t < row_tiles) SuperTiles::clear();
      for (int part = 0; part < kParts; ++part) {
        if (t < row_tiles)
          SuperTiles::multiply(decoded, part, x.row<RoundedSuper>(t * kTileRows)[s], x.row_bytes);
        if (t > 0) {
#pragma GCC unroll 4
          for (int r = 0; r < kRowsOfPart; ++r) finish(t - 1, part * kRowsOfPart + r);
        }
      }
      if (t < row_tiles) SuperTiles::store(products[t % 2]);
    }
  }
}

// out [rows of x, up to whole tiles][16]. x has whole tiles of rows in memory.
template <StripFormat F>
inline void multiply_on_tiles(const uint8_t* strip, const RoundedRows& x, float* out) {
  if constexpr (F.scale == StripScale::fine)
    multiply_supers_on_tiles<F>(strip, x, out);
  else
    multiply_groups_on_tiles<F>(strip, x, out);
}

}  // namespace quern::backend::cpu::QUERN_ISA
