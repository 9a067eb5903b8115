// The matrix product on AMX tiles, which multiply bf16 and sum in f32. Both factors are first packed into panels of tiles, on
// all threads. A block of C, 32 x 32, is four tiles; a step of 32 along k multiplies two tiles of A with two of B. Panels of B
// stay in the L2 cache while those of A pass, a slice in L1 at a time. Every element sums its steps in order of k, in lengths
// that depend on the shape alone: how C is split over threads changes nothing.
//
// Wider floats are sums of bf16, exactly: f32 of three planes, f16 of two, with eight bits of the significand each. Every plane of
// A meets every plane of B. Infinity has planes of zero, too: times f16 it is not a number.
#define QUERN_ISA amx
#define QUERN_VEC "backend/cpu/simd/vec_avx512.h"
#include <immintrin.h>

#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_amx.h"
#include "backend/cpu/kernels/support.h"
#include "backend/cpu/kernels/tile_product.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd/tile_scope.h"

namespace quern::backend::cpu::amx {

namespace {

constexpr int64_t kPanel = 32;                  // rows of A, or columns of B, that go together
constexpr int64_t kStep = 32;                   // of k
constexpr int64_t kTileBytes = 1024;            // 16 rows of 64 bytes
constexpr int64_t kStepBytes = 2 * kTileBytes;  // of a plane of a panel
constexpr int64_t kBlock = kPanel * kPanel;     // elements of a block of C
constexpr int64_t kSlice = 384;                 // of k: a panel of A this long fills half of L1
constexpr int64_t kDepth = 1536;         // of k that is packed at a time; blocks of C wait in memory for more
constexpr int64_t kKeptBytes = 1 << 20;  // of the panels of B that stay in L2: half of it
constexpr int64_t kMaxKept = 16;         // panels
constexpr int64_t kPackedBytes = 8 << 20;  // of either factor, packed at a time

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t ceiling(int64_t n, int64_t divisor) { return (n + divisor - 1) / divisor; }

template <class T>
constexpr int kPlanes = 1;
template <>
constexpr int kPlanes<float16> = 2;
template <>
constexpr int kPlanes<float> = 3;

// One factor, seen as `outer` vectors along k: rows of A, columns of B.
template <class T>
struct Factor {
  const T* data;
  int64_t outer, k;
  int64_t stride;  // elements between neighbouring vectors, or between neighbouring k when `k_strided`
  bool k_strided;
};

// The next eight bits of 16 floats, as bf16, taken off `rest`. Cut, not rounded: no sum of planes is beyond the float itself.
// Infinity leaves nothing, NaN leaves NaN.
inline __m256i take_plane(Vec& rest) {
  const __m512i plane = _mm512_and_si512(_mm512_castps_si512(rest.v), _mm512_set1_epi32(~0xffff));
  const __m512 value = _mm512_castsi512_ps(plane);
  rest = _mm512_maskz_sub_ps(_mm512_cmp_ps_mask(rest.v, value, _CMP_NEQ_UQ), rest.v, value);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(plane, 16));
}

// The planes of 32 elements, of which `count` are there; others are zero.
inline void load_planes(const bfloat16* from, int64_t count, __m512i (&planes)[1]) {
  const __mmask32 mask = count >= 32 ? ~__mmask32{0} : (__mmask32{1} << most(count, 0)) - 1;
  planes[0] = _mm512_maskz_loadu_epi16(mask, from);
}
template <class T>
inline void load_planes(const T* from, int64_t count, __m512i (&planes)[kPlanes<T>]) {
  Vec low, high;
  if (count >= 32) {
    low = Vec::load(from);
    high = Vec::load(from + 16);
  } else {
    low = Vec::load(from, FirstLanes{static_cast<int>(least(most(count, 0), 16))});
    high = Vec::load(from + 16, FirstLanes{static_cast<int>(most(count - 16, 0))});
  }
  for (__m512i& plane : planes) {
    const __m512i first = _mm512_castsi256_si512(take_plane(low));
    plane = _mm512_inserti64x4(first, take_plane(high), 1);
  }
}

// 32 vectors from `at`, 32 of k from `k`, as two squares of 16 x 16 pairs in each plane; zero beyond the factor. Along
// k: a vector per register. Strided: a pair of k per register, 16 vectors next to each other, which is how tiles of
// B want it. Pairs are moved about as floats.
template <class T>
inline void load_squares(const Factor<T>& f, int64_t at, int64_t k, Vec (&squares)[kPlanes<T>][2][16]) {
  const int64_t vectors = f.outer - at, depth = f.k - k;
  if (!f.k_strided) {
    for (int i = 0; i < 32; ++i) {
      __m512i planes[kPlanes<T>];
      load_planes(f.data + (at + i) * f.stride + k, i < vectors ? depth : 0, planes);
      for (int p = 0; p < kPlanes<T>; ++p) squares[p][i / 16][i % 16] = _mm512_castsi512_ps(planes[p]);
    }
    return;
  }
  for (int i = 0; i < 16; ++i) {
    const T* row = f.data + (k + 2 * i) * f.stride + at;
    __m512i even[kPlanes<T>], odd[kPlanes<T>];
    load_planes(row, 2 * i < depth ? vectors : 0, even);
    load_planes(row + f.stride, 2 * i + 1 < depth ? vectors : 0, odd);
    for (int p = 0; p < kPlanes<T>; ++p) {
      // Pairs of each quarter of the registers, then the quarters in order.
      const __m512i low = _mm512_unpacklo_epi16(even[p], odd[p]),
                    high = _mm512_unpackhi_epi16(even[p], odd[p]);
      const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
      const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
      squares[p][0][i] = _mm512_castsi512_ps(_mm512_permutex2var_epi64(low, first, high));
      squares[p][1][i] = _mm512_castsi512_ps(_mm512_permutex2var_epi64(low, second, high));
    }
  }
}

// One step of panel `p` of a factor, from `k` on: two tiles of each plane. Tiles of A hold a vector per row; tiles of B
// hold pairs of k per row.
template <class T>
inline void pack_step(const Factor<T>& f, bool tiles_of_b, int64_t p, int64_t k, char* to) {
  Vec squares[kPlanes<T>][2][16];
  load_squares(f, p * kPanel, k, squares);
  for (auto& plane : squares) {
    for (auto& square : plane) {
      if (f.k_strided != tiles_of_b) transpose(square);
      for (int i = 0; i < 16; ++i) square[i].store(reinterpret_cast<float*>(to) + i * 16);
      to += kTileBytes;
    }
  }
}

// Panels [begin, end).
struct Panels {
  int64_t begin, end;
  int64_t count() const { return end - begin; }
};

// A length of a factor along k, in tiles: panels of `steps` steps each.
template <class T>
struct Packed {
  char* data;
  int64_t steps;

  static constexpr int64_t kBytes = kPlanes<T> * kStepBytes;  // of a step
  char* panel(int64_t p) const { return data + p * steps * kBytes; }

  // Panels first + `panels` of `f`, from `k` on, become panels `panels`. The source is read in the order it is stored
  // in.
  void fill(const Factor<T>& f, bool tiles_of_b, int64_t first, Panels panels, int64_t k) const {
    const auto pack = [&](int64_t p, int64_t s) {
      pack_step(f, tiles_of_b, first + p, k + s * kStep, panel(p) + s * kBytes);
    };
    if (f.k_strided) {
      for (int64_t s = 0; s < steps; ++s) {
        for (int64_t p = panels.begin; p < panels.end; ++p) pack(p, s);
      }
    } else {
      for (int64_t p = panels.begin; p < panels.end; ++p) {
        for (int64_t s = 0; s < steps; ++s) pack(p, s);
      }
    }
  }
};

// Memory that will be wanted soon, fetched into L2 a few lines at a time.
struct Prefetch {
  const char* at;
  int64_t lines;  // a step

  void step() {
    for (int64_t i = 0; i < lines; ++i) _mm_prefetch(at + i * 64, _MM_HINT_T1);
    at += lines * 64;
  }
};

// A block of C (+)= a panel of A times a panel of B, of so many planes. The tiles of B pass through L1 marked as not needed again, so
// that those of A stay there.
template <int kPlanesOfA, int kPlanesOfB>
inline void multiply_panels(const char* a, const char* b, int64_t steps, float* c, bool accumulate,
                            Prefetch next) {
  constexpr int64_t kRowBytes = 4 * kPanel;
  float* const low = c + kBlock / 2;
  if (accumulate) {
    _tile_loadd(0, c, kRowBytes);
    _tile_loadd(1, c + 16, kRowBytes);
    _tile_loadd(2, low, kRowBytes);
    _tile_loadd(3, low + 16, kRowBytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t s = 0; s < steps; ++s) {
    next.step();
    for (int i = 0; i < kPlanesOfA; ++i, a += kStepBytes) {
      for (int j = 0; j < kPlanesOfB; ++j) {
        _tile_loadd(4, a, 64);
        _tile_stream_loadd(6, b + j * kStepBytes, 64);
        _tile_stream_loadd(7, b + j * kStepBytes + kTileBytes, 64);
        _tile_loadd(5, a + kTileBytes, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    b += kPlanesOfB * kStepBytes;
  }
  _tile_stored(0, c, kRowBytes);
  _tile_stored(1, c + 16, kRowBytes);
  _tile_stored(2, low, kRowBytes);
  _tile_stored(3, low + 16, kRowBytes);
}

// Where results go: C.
struct Output {
  void* data;
  DType dtype;
  int64_t rows, columns;
  const float* bias;  // or null
  bool accumulate;

  // The native conversion, rounding like bfloat16 except that it flushes subnormals, as the tile unit does.
  template <class Lanes>
  static void put(Vec x, bfloat16* to, Lanes lanes) {
    const __m256i bits = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x.v));
    _mm256_mask_storeu_epi16(to, Vec::mask({lanes.count}), bits);
  }
  template <class T, class Lanes>
  static void put(Vec x, T* to, Lanes lanes) {
    x.store(to, lanes);
  }

  template <class T>
  void store_block(const float* block, int64_t row, int64_t column) const {
    const int64_t height = least(kPanel, rows - row), width = least(kPanel, columns - column);
    T* to = static_cast<T*>(data) + row * columns + column;
    for (int64_t i = 0; i < height; ++i, to += columns) {
      for_lanes(width, [&](int64_t j, auto lanes) {
        Vec sum = Vec::load(block + i * kPanel + j, lanes);
        if (bias != nullptr) sum = sum + Vec::load(bias + column + j, lanes);
        if (accumulate) sum = sum + Vec::load(to + j, lanes);
        put(sum, to + j, lanes);
      });
    }
  }

  // The block of panel m of rows and panel n of columns.
  void store(const float* block, int64_t m, int64_t n) const {
    visit_dtype(dtype, [&]<class T>() { store_block<T>(block, m * kPanel, n * kPanel); });
  }
};

// Panels `m` of A against panels `n` of B, over one length of k.
template <class A, class B>
struct Part {
  const Factor<A>& a_factor;
  const Factor<B>& b_factor;
  const Output& out;
  Panels m, n;
  Packed<A> a;
  Packed<B> b;
  int64_t k;       // where the length begins
  float* waiting;  // blocks of C, when there is more than one length
  bool last;

  // Threads take columns, or rows where there are more of them to share.
  bool by_columns() const { return n.count() >= m.count() || n.count() >= 4 * num_threads(); }

  // Packs A, and B where every thread will read all of it. Both share one loop over their panels.
  void pack() const {
    constexpr int64_t kGrain = 1 << 17;  // elements
    const int64_t panels = m.count() + (by_columns() ? 0 : n.count());
    parallel_for(panels, 1 + kGrain / (kPanel * kStep * a.steps), [&](int64_t begin, int64_t end) {
      a.fill(a_factor, false, m.begin, {begin, least(end, m.count())}, k);
      b.fill(b_factor, true, n.begin, {most(begin - m.count(), 0), end - m.count()}, k);
    });
  }

  void multiply() const {
    const int64_t work = (by_columns() ? m : n).count() * kBlock * a.steps * kStep;
    constexpr int64_t kGrain = 1 << 24;  // multiply-adds
    parallel_for(by_columns() ? n.count() : m.count(), 1 + kGrain / work, [&](int64_t begin, int64_t end) {
      by_columns() ? multiply({0, m.count()}, {begin, end}) : multiply({begin, end}, {0, n.count()});
    });
  }

 private:
  // As many columns at a time as L2 keeps, in equal shares. Columns of this thread alone are packed on the way.
  void multiply(Panels rows, Panels columns) const {
    TileShapes shapes;
    for (int tile = 0; tile < 8; ++tile) shapes.set(tile, 16, 64);
    const TileScope tiles(shapes);
    const int64_t fitting = most(1, least(kMaxKept, kKeptBytes / (b.steps * Packed<B>::kBytes)));
    const int64_t shares = ceiling(columns.count(), fitting);
    for (int64_t share = 0; share < shares; ++share) {
      const Panels kept{columns.begin + columns.count() * share / shares,
                        columns.begin + columns.count() * (share + 1) / shares};
      if (by_columns()) b.fill(b_factor, true, n.begin, kept, k);
      for (int64_t i = rows.begin; i < rows.end; ++i) multiply_row(i, kept);
    }
  }

  // Panel i of A against `columns`.
  void multiply_row(int64_t i, Panels columns) const {
    alignas(64) float local[kMaxKept * kBlock];
    constexpr int64_t kSliceSteps = kSlice / kStep / kPlanes<A>;
    for (int64_t s = 0; s < a.steps; s += kSliceSteps) {
      const int64_t steps = least(kSliceSteps, a.steps - s);
      // The slice after this one, spread over the steps of all columns.
      const int64_t lines = ceiling(Packed<A>::kBytes / 64, columns.count());
      Prefetch next{a.panel(i) + (s + steps) * Packed<A>::kBytes, lines};
      for (int64_t j = columns.begin; j < columns.end; ++j, next.at += lines * 64 * steps) {
        float* c = waiting == nullptr ? local + (j - columns.begin) * kBlock
                                      : waiting + (i * n.count() + j) * kBlock;
        multiply_panels<kPlanes<A>, kPlanes<B>>(a.panel(i) + s * Packed<A>::kBytes,
                                                b.panel(j) + s * Packed<B>::kBytes, steps, c, k + s > 0,
                                                next);
        if (last && s + steps == a.steps) out.store(c, m.begin + i, n.begin + j);
      }
    }
  }
};

template <class A, class B>
void multiply_factors(const Factor<A>& a, const Factor<B>& b, const Output& out) {
  const int64_t all_steps = ceiling(a.k, kStep), lengths = ceiling(all_steps * kStep, kDepth);
  const int64_t length = ceiling(all_steps, lengths);
  const int64_t a_bytes = length * Packed<A>::kBytes, b_bytes = length * Packed<B>::kBytes;  // of a panel
  const int64_t m_all = ceiling(a.outer, kPanel), n_all = ceiling(b.outer, kPanel);
  const int64_t m_step = least(m_all, kPackedBytes / a_bytes), n_step = least(n_all, kPackedBytes / b_bytes);
  const int64_t waiting_bytes = lengths > 1 ? m_step * n_step * kBlock * 4 : 0;
  char* const memory = static_cast<char*>(scratch(m_step * a_bytes + n_step * b_bytes + waiting_bytes));
  char* const b_memory = memory + m_step * a_bytes;
  float* const waiting = lengths > 1 ? reinterpret_cast<float*>(b_memory + n_step * b_bytes) : nullptr;
  for (int64_t n = 0; n < n_all; n += n_step) {
    for (int64_t m = 0; m < m_all; m += m_step) {
      for (int64_t s = 0; s < all_steps; s += length) {
        const int64_t steps = least(length, all_steps - s);
        const Part<A, B> part{a,
                              b,
                              out,
                              {m, least(m_all, m + m_step)},
                              {n, least(n_all, n + n_step)},
                              {memory, steps},
                              {b_memory, steps},
                              s * kStep,
                              waiting,
                              s + steps == all_steps};
        part.pack();
        part.multiply();
      }
    }
  }
}

}  // namespace

}  // namespace quern::backend::cpu::amx

namespace quern::backend::cpu {

bool gemm_amx(const GemmArgs& g) {
  const auto is_known = [](DType d) { return d == DType::f32 || d == DType::bf16 || d == DType::f16; };
  if (!is_known(g.a_dtype) || !is_known(g.b_dtype) || !is_known(g.c_dtype) || g.m <= 0 || g.n <= 0 ||
      g.k <= 0)
    return gemm(g);
  // f32 by f32 is nine products of planes, slower than AVX-512; the six that reach 24 bits gain a tenth to a third at best.
  if (g.a_dtype == DType::f32 && g.b_dtype == DType::f32) return gemm(g);
  const amx::Output out{g.c, g.c_dtype, g.m, g.n, static_cast<const float*>(g.bias), g.accumulate};
  return amx::visit_dtype(g.a_dtype, [&]<class A>() {
    amx::visit_dtype(g.b_dtype, [&]<class B>() {
      const amx::Factor<A> a{static_cast<const A*>(g.a), g.m, g.k, g.a_transposed ? g.m : g.k,
                             g.a_transposed};
      const amx::Factor<B> b{static_cast<const B*>(g.b), g.n, g.k, g.b_transposed ? g.k : g.n,
                             !g.b_transposed};
      if constexpr (amx::kPlanes<A> * amx::kPlanes<B> < 9) amx::multiply_factors(a, b, out);
    });
  });
}

}  // namespace quern::backend::cpu
