#include "backend/cpu/gemm.h"

#include <algorithm>
#include <memory>

#include "backend/api/backend.h"
#include "backend/cpu/gemm_onednn.h"

namespace quern::backend::cpu {

namespace {

void cast(int64_t count, const void* x, DType x_dtype, void* y, DType y_dtype) {
  run(&KernelTable::axpby, AxpbyArgs{count, 1.0, 0.0, x, x_dtype, y, y_dtype});
}

// An f32 view of a matrix of any dtype.
class Widened {
 public:
  Widened(const void* data, DType dtype, int64_t count) : data_(data) {
    if (dtype == DType::f32) return;
    copy_.reset(new float[static_cast<size_t>(count)]);
    cast(count, data, dtype, copy_.get(), DType::f32);
    data_ = copy_.get();
  }
  const void* data() const { return data_; }

 private:
  const void* data_;
  std::unique_ptr<float[]> copy_;
};

// With A transposed and k of 2,048 and more oneDNN may split k over the threads that n leaves idle. Shorter
// slices, accumulated, keep results independent of the number of threads. They cost two passes over C each.
constexpr int64_t kSlice = 1024;

void matmul(const GemmArgs& g, DType input) {
  const int64_t a_stride = g.a_transposed ? g.m : g.k, b_stride = g.b_transposed ? g.k : g.n;
  const bool sliced = g.a_transposed && g.k >= 2 * kSlice && g.c_dtype == DType::f32;
  for (int64_t at = 0; at < g.k;) {
    const int64_t left = g.k - at;
    const int64_t k = sliced && left >= 2 * kSlice ? kSlice : left;
    const char* a = static_cast<const char*>(g.a) + at * size_of(input) * (g.a_transposed ? g.m : 1);
    const char* b = static_cast<const char*>(g.b) + at * size_of(input) * (g.b_transposed ? 1 : g.n);
    const bool first = at == 0;
    onednn::matmul({g.m, g.n, k, a_stride, b_stride, g.n, g.a_transposed, g.b_transposed, input, g.c_dtype,
                    first && g.bias != nullptr, g.accumulate || !first},
                   a, b, g.c, first ? static_cast<const float*>(g.bias) : nullptr);
    at += k;
  }
}

// f16, mixed inputs, and bf16 where the CPU has no instructions for it: through f32, which holds them all
// exactly.
void matmul_through_f32(GemmArgs g) {
  const Widened a(g.a, g.a_dtype, g.m * g.k), b(g.b, g.b_dtype, g.k * g.n);
  g.a = a.data();
  g.b = b.data();
  if (g.c_dtype == DType::f32) return matmul(g, DType::f32);
  const std::unique_ptr<float[]> wide(new float[static_cast<size_t>(g.m * g.n)]);
  void* const narrow = g.c;
  const DType narrow_dtype = g.c_dtype;
  if (g.accumulate) cast(g.m * g.n, narrow, narrow_dtype, wide.get(), DType::f32);
  g.c = wide.get();
  g.c_dtype = DType::f32;
  matmul(g, DType::f32);
  cast(g.m * g.n, wide.get(), DType::f32, narrow, narrow_dtype);
}

}  // namespace

bool gemm(const GemmArgs& args) {
  for (DType dtype : {args.a_dtype, args.b_dtype, args.c_dtype}) {
    if (!is_float(dtype) || dtype == DType::f64) return false;
  }
  if (args.k == 0) return false;
  if (args.m == 0 || args.n == 0) return true;
  const bool all_f32 = args.a_dtype == DType::f32 && args.b_dtype == DType::f32 && args.c_dtype == DType::f32;
  const bool bf16_inputs =
      args.a_dtype == DType::bf16 && args.b_dtype == DType::bf16 && args.c_dtype != DType::f16;
  if (all_f32)
    matmul(args, DType::f32);
  else if (bf16_inputs && onednn::has_fast_bf16())
    matmul(args, DType::bf16);
  else
    matmul_through_f32(args);
  return true;
}

}  // namespace quern::backend::cpu
