// The matrix product of bf16 on AMX tiles. A block of C, 32 x 32, is four tiles; a step of 32 along k
// multiplies two tiles of A with two of B. Panels of one factor, usually B, are packed into tiles once and
// stay in the L2 cache; those of the other are packed as they stream past. Every element sums its steps in
// order of k, in lengths that depend on the shape alone: how C is split over threads changes nothing.
#define QUERN_ISA amx
#include <immintrin.h>

#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_amx.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd/vec_avx512.h"
#include "base/threads.h"

namespace quern::backend::cpu::amx {

namespace {

constexpr int64_t kPanel = 32;                  // rows of A, or columns of B, that go together
constexpr int64_t kStep = 32;                   // of k
constexpr int64_t kTileBytes = 1024;            // 16 rows of 64 bytes
constexpr int64_t kStepBytes = 2 * kTileBytes;  // of a panel
constexpr int64_t kDepth = 384;                 // of k: a streamed panel this long fills half of L1
constexpr int64_t kCacheBytes = 3 << 18;        // of kept panels: a good third of L2
constexpr int64_t kMaxColumns = 1024;           // or rows, of kept panels
constexpr int64_t kMaxDepth = 1536;             // of kept panels: beyond, C is summed in memory

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t panels(int64_t n) { return (n + kPanel - 1) / kPanel; }

// One factor, seen as `outer` vectors along k: rows of A, columns of B.
struct Factor {
  const bfloat16* data;
  int64_t outer, k;
  int64_t stride;  // elements between neighbouring vectors, or between neighbouring k when `k_strided`
  bool k_strided;
};

inline __mmask32 first32(int64_t count) { return count >= 32 ? ~__mmask32{0} : (__mmask32{1} << count) - 1; }

// 32 vectors from `at`, 32 of k from `k`, as two squares of 16 x 16 pairs; zero beyond the factor. Along k: a
// vector per register. Strided: a pair of k per register, 16 vectors next to each other, which is how tiles
// of B want it.
inline void load_squares(const Factor& f, int64_t at, int64_t k, __m512i (&squares)[2][16]) {
  const int64_t vectors = f.outer - at, depth = f.k - k;
  if (!f.k_strided) {
    const __mmask32 mask = first32(depth);
    for (int i = 0; i < 32; ++i) {
      squares[i / 16][i % 16] = i < vectors ? _mm512_maskz_loadu_epi16(mask, f.data + (at + i) * f.stride + k)
                                            : _mm512_setzero_si512();
    }
    return;
  }
  const __mmask32 mask = first32(vectors);
  const __m512i zero = _mm512_setzero_si512();
  for (int i = 0; i < 16; ++i) {
    const bfloat16* row = f.data + (k + 2 * i) * f.stride + at;
    const __m512i even = 2 * i < depth ? _mm512_maskz_loadu_epi16(mask, row) : zero;
    const __m512i odd = 2 * i + 1 < depth ? _mm512_maskz_loadu_epi16(mask, row + f.stride) : zero;
    // Pairs of each quarter of the registers, then the quarters in order.
    const __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
    squares[0][i] = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high);
    squares[1][i] = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high);
  }
}

// Of 32-bit elements: each stage moves one bit of the column number into the row number.
inline void transpose(__m512i (&square)[16]) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  for (int stage = 0; stage < 4; ++stage) {
    __m512i next[16];
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = _mm512_permutex2var_epi32(square[i], low, square[i + 8]);
      next[2 * i + 1] = _mm512_permutex2var_epi32(square[i], high, square[i + 8]);
    }
    for (int i = 0; i < 16; ++i) square[i] = next[i];
  }
}

// Panel `p` of a factor over [begin, end) of k, two tiles a step. Tiles of A hold a vector per row; tiles of
// B hold pairs of k per row.
inline void pack_panel(const Factor& f, bool tiles_of_b, int64_t p, int64_t begin, int64_t end, char* to) {
  for (int64_t at = begin; at < end; at += kStep) {
    __m512i squares[2][16];
    load_squares(f, p * kPanel, at, squares);
    for (auto& square : squares) {
      if (f.k_strided != tiles_of_b) transpose(square);
      for (int i = 0; i < 16; ++i) _mm512_store_si512(to + i * 64, square[i]);
      to += kTileBytes;
    }
  }
}

// c[32, 32] (+)= a panel of A times a panel of B.
inline void multiply_panels(const char* a, const char* b, int64_t steps, float* c, int64_t c_row,
                            bool accumulate) {
  const int64_t row_bytes = c_row * 4;
  float* const low = c + 16 * c_row;
  if (accumulate) {
    _tile_loadd(0, c, row_bytes);
    _tile_loadd(1, c + 16, row_bytes);
    _tile_loadd(2, low, row_bytes);
    _tile_loadd(3, low + 16, row_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t s = 0; s < steps; ++s) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + kTileBytes, 64);
    _tile_loadd(5, a + kTileBytes, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    a += kStepBytes;
    b += kStepBytes;
  }
  _tile_stored(0, c, row_bytes);
  _tile_stored(1, c + 16, row_bytes);
  _tile_stored(2, low, row_bytes);
  _tile_stored(3, low + 16, row_bytes);
}

// Palette 1, eight tiles of 16 rows of 64 bytes.
struct TileScope {
  TileScope() {
    alignas(64) unsigned char config[64] = {1};
    for (int i = 0; i < 8; ++i) {
      config[16 + 2 * i] = 64;
      config[48 + i] = 16;
    }
    _tile_loadconfig(config);
  }
  ~TileScope() { _tile_release(); }
};

// Where results go: C, of bf16 or f32.
struct Output {
  void* data;
  bool bf16;
  int64_t stride;
  const float* bias;  // or null
  bool accumulate;

  // The native conversion, rounding like bfloat16 except that it flushes subnormals, as the tile unit does.
  template <class Lanes>
  static void put(Vec x, bfloat16* to, Lanes lanes) {
    const __m256i bits = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x.v));
    _mm256_mask_storeu_epi16(to, Vec::mask({lanes.count}), bits);
  }
  template <class Lanes>
  static void put(Vec x, float* to, Lanes lanes) {
    x.store(to, lanes);
  }

  template <class T>
  void store_row(const float* from, int64_t row, int64_t column, int64_t count) const {
    T* to = static_cast<T*>(data) + row * stride + column;
    for_lanes(count, [&](int64_t i, auto lanes) {
      Vec sum = Vec::load(from + i, lanes);
      if (bias != nullptr) sum = sum + Vec::load(bias + column + i, lanes);
      if (accumulate) sum = sum + Vec::load(to + i, lanes);
      put(sum, to + i, lanes);
    });
  }

  // Panels [m, m + m_count) of rows by [n, n + n_count) of columns.
  void store(const float* from, int64_t from_row, const Factor& a, int64_t m, int64_t m_count,
             const Factor& b, int64_t n, int64_t n_count) const {
    const int64_t rows = least(m_count * kPanel, a.outer - m * kPanel);
    const int64_t columns = least(n_count * kPanel, b.outer - n * kPanel);
    for (int64_t i = 0; i < rows; ++i, from += from_row) {
      if (bf16)
        store_row<bfloat16>(from, m * kPanel + i, n * kPanel, columns);
      else
        store_row<float>(from, m * kPanel + i, n * kPanel, columns);
    }
  }
};

// One product: the factor whose packed panels stay in cache, and the other, whose panels stream past.
struct Product {
  const Factor& a;
  const Factor& b;
  const Output& out;

  // Both strided, as for gradients of weights: tiles of A need a transposition, tiles of B none. Where B
  // would not stay in cache whole, and A stream past it more than once, A is kept.
  bool keeps_a() const {
    return a.k_strided && b.k_strided && b.outer * 2 * least(b.k, kMaxDepth) > kCacheBytes;
  }
  const Factor& kept() const { return keeps_a() ? a : b; }
  const Factor& streamed() const { return keeps_a() ? b : a; }
};

// A rectangle of C in panels.
struct Range {
  int64_t kept_begin, kept_end, streamed_begin, streamed_end;
};

// Working memory of a thread, for `width` kept panels of `depth` along k and `height` streamed ones.
struct Workspace {
  char* kept;
  char* streamed;
  float* c;

  Workspace(int64_t width, int64_t depth, int64_t height) {
    const int64_t kept_bytes = width * kPanel * depth * 2, streamed_bytes = kPanel * kDepth * 2;
    kept = static_cast<char*>(scratch(kept_bytes + streamed_bytes + height * kPanel * width * kPanel * 4));
    streamed = kept + kept_bytes;
    c = reinterpret_cast<float*>(streamed + streamed_bytes);
  }
};

void multiply_range(const Product& p, Range range) {
  const bool keeps_a = p.keeps_a();
  const int64_t padded = (p.a.k + kStep - 1) / kStep * kStep, depth = least(padded, kMaxDepth);
  const int64_t fitting = least(kMaxColumns, kCacheBytes / (2 * depth)) / kPanel;
  const int64_t width = least(fitting, range.kept_end - range.kept_begin);
  // C waits in f32 for the other lengths of k where there are several.
  const bool whole = padded <= depth;
  const Workspace work(width, depth, whole ? 1 : range.streamed_end - range.streamed_begin);
  const TileScope tiles;
  for (int64_t at = range.kept_begin; at < range.kept_end; at += width) {
    const int64_t count = least(width, range.kept_end - at);
    const int64_t c_row = keeps_a ? kPanel : count * kPanel, c_next = keeps_a ? kPanel * c_row : kPanel;
    for (int64_t begin = 0; begin < padded; begin += depth) {
      const int64_t end = least(padded, begin + depth), panel_bytes = (end - begin) / kStep * kStepBytes;
      for (int64_t j = 0; j < count; ++j) {
        pack_panel(p.kept(), !keeps_a, at + j, begin, end, work.kept + j * panel_bytes);
      }
      for (int64_t i = range.streamed_begin; i < range.streamed_end; ++i) {
        float* c = work.c + (whole ? 0 : (i - range.streamed_begin) * kPanel * count * kPanel);
        for (int64_t k = begin; k < end; k += kDepth) {
          const int64_t slice_end = least(end, k + kDepth), steps = (slice_end - k) / kStep;
          pack_panel(p.streamed(), keeps_a, i, k, slice_end, work.streamed);
          for (int64_t j = 0; j < count; ++j) {
            const char* kept = work.kept + j * panel_bytes + (k - begin) / kStep * kStepBytes;
            multiply_panels(keeps_a ? kept : work.streamed, keeps_a ? work.streamed : kept, steps,
                            c + j * c_next, c_row, k != 0);
          }
        }
        if (end < padded) continue;
        if (keeps_a)
          p.out.store(c, c_row, p.a, at, count, p.b, i, 1);
        else
          p.out.store(c, c_row, p.a, i, 1, p.b, at, count);
      }
    }
  }
}

void multiply_factors(const Factor& a, const Factor& b, const Output& out) {
  const Product p{a, b, out};
  const int64_t kept = panels(p.kept().outer), streamed = panels(p.streamed().outer);
  const bool split_kept = kept >= streamed || kept >= 4 * num_threads();
  const int64_t work = kPanel * (split_kept ? p.streamed() : p.kept()).outer * a.k;
  constexpr int64_t kGrain = 1 << 24;  // multiply-adds
  parallel_for(split_kept ? kept : streamed, 1 + kGrain / work, [&](int64_t begin, int64_t end) {
    multiply_range(p, split_kept ? Range{begin, end, 0, streamed} : Range{0, kept, begin, end});
  });
}

}  // namespace

}  // namespace quern::backend::cpu::amx

namespace quern::backend::cpu {

bool gemm_amx(const GemmArgs& g) {
  const bool tiles = g.a_dtype == DType::bf16 && g.b_dtype == DType::bf16 && g.m > 0 && g.n > 0 && g.k > 0 &&
                     (g.c_dtype == DType::f32 || g.c_dtype == DType::bf16);
  if (!tiles) return gemm(g);
  amx::multiply_factors(
      {static_cast<const bfloat16*>(g.a), g.m, g.k, g.a_transposed ? g.m : g.k, g.a_transposed},
      {static_cast<const bfloat16*>(g.b), g.n, g.k, g.b_transposed ? g.k : g.n, !g.b_transposed},
      {g.c, g.c_dtype == DType::bf16, g.n, static_cast<const float*>(g.bias), g.accumulate});
  return true;
}

}  // namespace quern::backend::cpu
