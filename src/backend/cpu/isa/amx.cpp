// The matrix product of bf16 on AMX tiles. One block of C, 32 x 32, is four tiles; a step of 32 along k
// multiplies two tiles of A with two of B. B is packed into panels that stay in the L2 cache, A streams past
// in panels of L1 size. Every element sums its steps in order of k, from panels of a fixed length: splitting
// C over threads changes nothing.
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
constexpr int64_t kDepth = 512;                 // of k: a panel of A this long fills two thirds of L1
constexpr int64_t kCacheBytes = 1 << 20;        // of packed B
constexpr int64_t kMaxColumns = 1024;           // of packed B
constexpr int64_t kMaxDepth = 3072;             // of packed B: beyond, C is summed in memory

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
inline __mmask16 first16(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : (1u << count) - 1u);
}

// 16 vectors from `at`, 32 of k from `k`, in 16 registers; zero beyond the factor. Along k: a vector per
// register. Strided: a pair of k per register, 16 vectors next to each other, which is how tiles of B want
// it.
inline void load_square(const Factor& f, int64_t at, int64_t k, __m512i (&square)[16]) {
  const int64_t left = f.outer - at;
  if (!f.k_strided) {
    const __mmask32 mask = first32(f.k - k);
    for (int i = 0; i < 16; ++i) {
      square[i] = i < left ? _mm512_maskz_loadu_epi16(mask, f.data + (at + i) * f.stride + k)
                           : _mm512_setzero_si512();
    }
    return;
  }
  const __mmask16 mask = left > 0 ? first16(left) : __mmask16{0};
  for (int i = 0; i < 16; ++i) {
    const int64_t even = k + 2 * i;
    const bfloat16* row = f.data + even * f.stride + at;
    const __m256i low = even < f.k ? _mm256_maskz_loadu_epi16(mask, row) : _mm256_setzero_si256();
    const __m256i high =
        even + 1 < f.k ? _mm256_maskz_loadu_epi16(mask, row + f.stride) : _mm256_setzero_si256();
    square[i] =
        _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
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
    for (int half = 0; half < 2; ++half) {
      __m512i square[16];
      load_square(f, p * kPanel + half * 16, at, square);
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

  template <class T>
  void store_row(const float* from, int64_t row, int64_t column, int64_t count) const {
    T* to = static_cast<T*>(data) + row * stride + column;
    for_lanes(count, [&](int64_t i, auto lanes) {
      Vec sum = Vec::load(from + i, lanes);
      if (bias != nullptr) sum = sum + Vec::load(bias + column + i, lanes);
      if (accumulate) sum = sum + Vec::load(to + i, lanes);
      sum.store(to + i, lanes);
    });
  }
  void store_panel(const float* from, int64_t from_row, int64_t row, int64_t rows, int64_t column,
                   int64_t columns) const {
    for (int64_t i = 0; i < rows; ++i) {
      if (bf16)
        store_row<bfloat16>(from + i * from_row, row + i, column, columns);
      else
        store_row<float>(from + i * from_row, row + i, column, columns);
    }
  }
};

// Panels of C: [m_begin, m_end) of rows by [n_begin, n_end) of columns.
struct Range {
  int64_t m_begin, m_end, n_begin, n_end;
};

// Working memory of a thread, for `width` panels of B over `depth` of k and `height` panels of rows of C.
struct Workspace {
  char* b;
  char* a;
  float* c;

  Workspace(int64_t width, int64_t depth, int64_t height) {
    const int64_t b_bytes = width * kPanel * depth * 2, a_bytes = kPanel * kDepth * 2;
    b = static_cast<char*>(scratch(b_bytes + a_bytes + height * kPanel * width * kPanel * 4));
    a = b + b_bytes;
    c = reinterpret_cast<float*>(a + a_bytes);
  }
};

void multiply_range(const Factor& a, const Factor& b, const Output& out, Range range) {
  const int64_t padded = (a.k + kStep - 1) / kStep * kStep, depth = least(padded, kMaxDepth);
  const int64_t fitting = least(kMaxColumns, kCacheBytes / (2 * depth)) / kPanel;
  const int64_t width = least(fitting, range.n_end - range.n_begin);
  // C waits in f32 for the other lengths of k where there are several.
  const bool whole = padded <= depth;
  const Workspace work(width, depth, whole ? 1 : range.m_end - range.m_begin);
  const TileScope tiles;
  for (int64_t n = range.n_begin; n < range.n_end; n += width) {
    const int64_t count = least(width, range.n_end - n), c_row = count * kPanel;
    for (int64_t begin = 0; begin < padded; begin += depth) {
      const int64_t end = least(padded, begin + depth), panel_bytes = (end - begin) / kStep * kStepBytes;
      for (int64_t j = 0; j < count; ++j) pack_panel(b, true, n + j, begin, end, work.b + j * panel_bytes);
      for (int64_t m = range.m_begin; m < range.m_end; ++m) {
        float* c = work.c + (whole ? 0 : (m - range.m_begin) * kPanel * c_row);
        for (int64_t k = begin; k < end; k += kDepth) {
          const int64_t slice_end = least(end, k + kDepth);
          pack_panel(a, false, m, k, slice_end, work.a);
          for (int64_t j = 0; j < count; ++j) {
            multiply_panels(work.a, work.b + j * panel_bytes + (k - begin) / kStep * kStepBytes,
                            (slice_end - k) / kStep, c + j * kPanel, c_row, k != 0);
          }
        }
        if (end == padded)
          out.store_panel(c, c_row, m * kPanel, least(kPanel, a.outer - m * kPanel), n * kPanel,
                          least(c_row, b.outer - n * kPanel));
      }
    }
  }
}

void multiply_factors(const Factor& a, const Factor& b, const Output& out) {
  const int64_t m = panels(a.outer), n = panels(b.outer);
  const bool by_columns = n >= m || n >= 4 * num_threads();
  const int64_t work = kPanel * (by_columns ? a.outer : b.outer) * a.k;
  constexpr int64_t kGrain = 1 << 24;  // multiply-adds
  parallel_for(by_columns ? n : m, 1 + kGrain / work, [&](int64_t begin, int64_t end) {
    multiply_range(a, b, out, by_columns ? Range{0, m, begin, end} : Range{begin, end, 0, n});
  });
}

}  // namespace

}  // namespace quern::backend::cpu::amx

namespace quern::backend::cpu {

bool gemm_amx(const GemmArgs& g) {
  const bool tiles = g.a_dtype == DType::bf16 && g.b_dtype == DType::bf16 && g.m > 0 && g.n > 0 && g.k > 0 &&
                     (g.c_dtype == DType::f32 || g.c_dtype == DType::bf16);
  if (!tiles) return gemm(g);
  amx::multiply_factors({static_cast<const bfloat16*>(g.a), g.m, g.k, g.a_transposed ? g.m : g.k, g.a_transposed},
                {static_cast<const bfloat16*>(g.b), g.n, g.k, g.b_transposed ? g.k : g.n, !g.b_transposed},
                {g.c, g.c_dtype == DType::bf16, g.n, static_cast<const float*>(g.bias), g.accumulate});
  return true;
}

}  // namespace quern::backend::cpu
