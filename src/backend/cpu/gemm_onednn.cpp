#include "backend/cpu/gemm_onednn.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <dnnl.hpp>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "backend/cpu/scratch.h"
#include "base/threads.h"

namespace quern::backend::cpu::onednn {

namespace {

// oneDNN before 2.7 asks CPUID which tile palette to load, and configures none when a hypervisor hides that
// leaf (Firecracker does): its first AMX kernel then dies of an illegal instruction. Such machines get the
// next best ISA.
void avoid_broken_amx() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool amx = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 24)) != 0;
  const bool palette = __get_cpuid_count(0x1d, 0, &eax, &ebx, &ecx, &edx) != 0 && eax != 0;
  if (amx && !palette && std::getenv("ONEDNN_MAX_CPU_ISA") == nullptr) {
    dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
  }
#endif
}

dnnl::engine& engine() {
  static dnnl::engine instance = [] {
    avoid_broken_amx();
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return instance;
}

dnnl::memory::data_type type_of(DType dtype) {
  return dtype == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

// A [rows, cols] matrix as stored, or the transpose of the [cols, rows] one that is.
dnnl::memory::desc describe(int64_t rows, int64_t cols, DType dtype, int64_t stride, bool transposed) {
  return {{rows, cols},
          type_of(dtype),
          transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1}};
}

// Rows of B that lie a multiple of 2 KiB apart fall into few cache sets. oneDNN copies B into blocks when n
// is a power of two but not for the likes of 3 * 1024, where it then runs at half speed (measured: 2560,
// 3072, 5120, 14336).
bool wants_blocked_b(const MatmulShape& s) {
  return s.input == DType::f32 && !s.b_transposed && s.m >= 64 && s.n >= 2560 && s.n % 512 == 0 &&
         !std::has_single_bit(static_cast<uint64_t>(s.n));
}

struct Plan {
  dnnl::memory::desc a, b, c, bias;
  dnnl::matmul primitive;
  std::optional<dnnl::reorder> block_b;  // into blocked_b
  dnnl::memory::desc blocked_b, reorder_scratchpad, scratchpad;

  explicit Plan(const MatmulShape& s);
  void run(const void* pa, const void* pb, void* pc, const float* pbias) const;
};

Plan::Plan(const MatmulShape& s)
    : a(describe(s.m, s.k, s.input, s.a_stride, s.a_transposed)),
      b(describe(s.k, s.n, s.input, s.b_stride, s.b_transposed)),
      c(describe(s.m, s.n, s.output, s.c_stride, false)) {
  dnnl::primitive_attr attributes, reorder_attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  reorder_attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (s.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  if (s.bias) bias = {{1, s.n}, dnnl::memory::data_type::f32, dnnl::memory::dims{s.n, 1}};
  const dnnl::memory::desc any_b({s.k, s.n}, type_of(s.input), dnnl::memory::format_tag::any);
  const dnnl::memory::desc& b_or_any = wants_blocked_b(s) ? any_b : b;
  const dnnl::matmul::primitive_desc chosen(
      s.bias ? dnnl::matmul::desc(a, b_or_any, bias, c) : dnnl::matmul::desc(a, b_or_any, c), attributes,
      engine());
  primitive = dnnl::matmul(chosen);
  scratchpad = chosen.scratchpad_desc();
  blocked_b = chosen.weights_desc();
  if (blocked_b != b) {
    const dnnl::reorder::primitive_desc reorder(engine(), b, engine(), blocked_b, reorder_attributes);
    block_b = dnnl::reorder(reorder);
    reorder_scratchpad = reorder.scratchpad_desc();
  }
}

void Plan::run(const void* pa, const void* pb, void* pc, const float* pbias) const {
  thread_local dnnl::stream stream(engine());
  constexpr size_t kAlign = 4096;
  const size_t blocked_bytes = block_b ? (blocked_b.get_size() + kAlign - 1) / kAlign * kAlign : 0;
  char* work = static_cast<char*>(scratch(
      static_cast<int64_t>(blocked_bytes + std::max(scratchpad.get_size(), reorder_scratchpad.get_size()))));
  const auto at = [](const dnnl::memory::desc& what, const void* where) {
    return dnnl::memory(what, engine(), const_cast<void*>(where));  // oneDNN has no memory of const
  };
  if (block_b) {
    block_b->execute(stream, {{DNNL_ARG_FROM, at(b, pb)},
                              {DNNL_ARG_TO, at(blocked_b, work)},
                              {DNNL_ARG_SCRATCHPAD, at(reorder_scratchpad, work + blocked_bytes)}});
  }
  std::unordered_map<int, dnnl::memory> arguments = {
      {DNNL_ARG_SRC, at(a, pa)},
      {DNNL_ARG_WEIGHTS, at(blocked_b, block_b ? work : pb)},
      {DNNL_ARG_DST, at(c, pc)},
      {DNNL_ARG_SCRATCHPAD, at(scratchpad, work + blocked_bytes)}};
  if (pbias != nullptr) arguments.emplace(DNNL_ARG_BIAS, at(bias, pbias));
  primitive.execute(stream, arguments);
  stream.wait();
}

// The plans used last. A primitive is compiled for the number of threads it was made under.
class PlanCache {
 public:
  std::shared_ptr<const Plan> get(const MatmulShape& shape, int threads) {
    const std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->threads != threads || it->shape != shape) continue;
      entries_.splice(entries_.begin(), entries_, it);
      return it->plan;
    }
    if (entries_.size() == kCapacity) entries_.pop_back();
    entries_.push_front({shape, threads, std::make_shared<const Plan>(shape)});
    return entries_.front().plan;
  }

 private:
  static constexpr size_t kCapacity = 128;  // shapes of a model: about a dozen; prompts add one per length
  struct Entry {
    MatmulShape shape;
    int threads;
    std::shared_ptr<const Plan> plan;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;
};

// Whether the bits of a product depend on how many threads make it: below AVX-512, oneDNN splits sums among them and
// chooses other kernels for other numbers.
bool threads_change_bits() {
  static const bool change = [] {
    engine();
    const auto isa = dnnl::get_effective_cpu_isa();
    using enum dnnl::cpu_isa;
    return isa == sse41 || isa == avx || isa == avx2 || isa == avx2_vnni;
  }();
  return change;
}

// A grid over C. The shape alone decides it, so that every tile is the same product whoever makes it.
struct Grid {
  int64_t tile_m, tile_n, rows, columns;

  explicit Grid(const MatmulShape& s) : tile_m(s.m), tile_n(s.n), rows(1), columns(1) {
    // Smaller products are over before other threads have begun. Tiles for more threads than most such machines have;
    // each packs its operands for itself, so that they must not be thin.
    constexpr int64_t kLeastWork = int64_t{1} << 20, kTiles = 16, kLeastM = 48, kLeastN = 96;
    if (s.m * s.n * s.k < kLeastWork) return;
    while (rows * columns < kTiles) {
      const bool can_m = tile_m >= 2 * kLeastM, can_n = tile_n >= 2 * kLeastN;
      if (!can_m && !can_n) break;
      if (can_m && (!can_n || tile_m >= tile_n))
        tile_m = rounded((tile_m + 1) / 2, kLeastM);
      else
        tile_n = rounded((tile_n + 1) / 2, kLeastN);
      rows = (s.m + tile_m - 1) / tile_m;
      columns = (s.n + tile_n - 1) / tile_n;
    }
  }

 private:
  static int64_t rounded(int64_t extent, int64_t step) { return (extent + step - 1) / step * step; }
};

// What oneDNN makes and runs meanwhile on this thread is for one thread.
class OneThread {
 public:
  OneThread() : before_(num_threads()) { set_num_threads(1); }
  ~OneThread() { set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

void tiled(PlanCache& cache, const MatmulShape& shape, const void* a, const void* b, void* c,
           const float* bias) {
  const Grid grid(shape);
  const auto at = [](const void* from, int64_t elements, DType dtype) {
    return static_cast<const char*>(from) + elements * size_of(dtype);
  };
  parallel_for(grid.rows * grid.columns, 1, [&](int64_t begin, int64_t end) {
    const OneThread alone;
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t i = tile / grid.columns * grid.tile_m, j = tile % grid.columns * grid.tile_n;
      MatmulShape part = shape;
      part.m = std::min(grid.tile_m, shape.m - i);
      part.n = std::min(grid.tile_n, shape.n - j);
      cache.get(part, 1)->run(at(a, shape.a_transposed ? i : i * shape.a_stride, shape.input),
                              at(b, shape.b_transposed ? j * shape.b_stride : j, shape.input),
                              const_cast<char*>(at(c, i * shape.c_stride + j, shape.output)),
                              bias == nullptr ? nullptr : bias + j);
    }
  });
}

}  // namespace

bool has_fast_bf16() {
  static const bool fast = [] {
    engine();
    const auto isa = dnnl::get_effective_cpu_isa();
    return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
  }();
  return fast;
}

void matmul(const MatmulShape& shape, const void* a, const void* b, void* c, const float* bias) {
  static PlanCache cache;
  if (threads_change_bits()) return tiled(cache, shape, a, b, c, bias);
  cache.get(shape, num_threads())->run(a, b, c, bias);
}

}  // namespace quern::backend::cpu::onednn
