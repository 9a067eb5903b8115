// Matrix products over the shapes of GPT-2 124M: the three of each linear layer in training (y = x w^T, dx =
// dy w, dw += dy^T x) as a share of the best square product, and the memory-bound rows of inference as a
// share of the bandwidth of a plain read. Threads: OMP_NUM_THREADS.
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "backend/api/backend.h"
#include "base/threads.h"
#include "micro/measure.h"

namespace quern::bench {
namespace {

class Matrix {
 public:
  Matrix(DType dtype, int64_t rows, int64_t cols)
      : bytes_(static_cast<size_t>(rows * cols * size_of(dtype))) {}
  void* data() { return bytes_.data(); }
  double gigabytes() const { return 1e-9 * static_cast<double>(bytes_.size()); }

 private:
  std::vector<char> bytes_;
};

// GFLOP/s of C[m,n] (+)= A B.
double rate(int64_t m, int64_t n, int64_t k, bool a_transposed, bool b_transposed, DType input, DType output,
            bool accumulate) {
  Matrix a(input, m, k), b(input, k, n), c(output, m, n);
  const backend::GemmArgs args{
      m,        n,      k,       a.data(),  input, a_transposed, b.data(), input, b_transposed,
      c.data(), output, nullptr, accumulate};
  return 2e-9 * static_cast<double>(m * n * k) / best_seconds([&] { backend::active_table().gemm(args); });
}

void training(DType dtype) {
  const double square = rate(2048, 2048, 2048, false, true, dtype, dtype, false);
  fmt::print("{} square 2048: {:.0f} GFLOP/s\n", name_of(dtype), square);
  struct Layer {
    const char* name;
    int64_t out, in, count;  // count: in the whole model
  };
  constexpr int64_t kC = 768;
  for (const int64_t rows : {256, 2048}) {
    double flops = 0.0, seconds = 0.0;
    for (const Layer& layer : {Layer{"qkv", 3 * kC, kC, 12},
                               {"proj", kC, kC, 12},
                               {"fc", 4 * kC, kC, 12},
                               {"fcproj", kC, 4 * kC, 12},
                               {"head", 50257, kC, 1}}) {
      const int64_t m = layer.out > 50000 ? 256 : rows;  // the fused loss takes the head in chunks of rows
      const double y = rate(m, layer.out, layer.in, false, true, dtype, dtype, false);
      const double dx = rate(m, layer.in, layer.out, false, false, dtype, dtype, false);
      const double dw = rate(layer.out, layer.in, m, true, false, dtype, DType::f32, true);
      const double work = 2e-9 * static_cast<double>(rows * layer.out * layer.in * layer.count);
      flops += 3 * work;
      seconds += work / y + work / dx + work / dw;
      fmt::print(
          "  {:<5} M={:<5} {:<7} y {:6.0f} ({:3.0f} %)  dx {:6.0f} ({:3.0f} %)  dw {:6.0f} ({:3.0f} %)\n",
          name_of(dtype), m, layer.name, y, 100 * y / square, dx, 100 * dx / square, dw, 100 * dw / square);
    }
    fmt::print("  {:<5} M={:<5} all     {:.0f} GFLOP/s ({:.0f} % of square), {:.1f} ms\n", name_of(dtype),
               rows, flops / seconds, 100 * flops / seconds / square, 1e3 * seconds);
  }
}

void inference(DType w_dtype) {
  const int64_t n = 50257, k = 768;
  Matrix w(w_dtype, n, k);
  std::memset(w.data(), 1, static_cast<size_t>(w.gigabytes() * 1e9));
  int64_t total = 0;
  const double read = best_seconds([&] {  // four streams, since one does not fill the memory's queue
    const int64_t quarter = n * k * size_of(w_dtype) / 32;
    const int64_t* words = static_cast<const int64_t*>(w.data());
    int64_t sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
    for (int64_t i = 0; i < quarter; ++i) {
      sum += (words[i] + words[i + quarter]) + (words[i + 2 * quarter] + words[i + 3 * quarter]);
    }
    total += sum;
  });
  fmt::print("{} weights [{}, {}]: read at {:.1f} GB/s{}\n", name_of(w_dtype), n, k, w.gigabytes() / read,
             total == 0 ? "!" : "");
  for (const int64_t m : {1, 4, 16, 64, 256}) {
    Matrix x(DType::f32, m, k), y(DType::f32, m, n);
    const backend::LinearRowsArgs args{m, n, k, x.data(), w.data(), nullptr, y.data(), DType::f32, w_dtype};
    const double seconds = best_seconds([&] { backend::active_table().linear_rows(args); });
    fmt::print("  {:<5} m={:<4} {:6.1f} GB/s ({:3.0f} % of read) {:6.0f} GFLOP/s\n", name_of(w_dtype), m,
               w.gigabytes() / seconds, 100 * read / seconds,
               2e-9 * static_cast<double>(m * n * k) / seconds);
  }
}

}  // namespace
}  // namespace quern::bench

int main() {
  using quern::DType;
  quern::backend::register_backends();
  fmt::print("matrix products of table {}, {} threads\n", quern::backend::active_table().name,
             quern::num_threads());
  for (const DType dtype : {DType::f32, DType::bf16}) quern::bench::training(dtype);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) quern::bench::inference(dtype);
}
