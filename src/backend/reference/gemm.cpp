#include <algorithm>
#include <vector>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"
#include "base/threads.h"

namespace quern::backend::reference {

namespace {

constexpr int64_t kGrain = 1 << 15;  // multiply-adds worth a thread

template <class B>
double dot_product(const double* a, const B* b, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * to_double(b[i]);
  return sum;
}

// Row i of C before bias and accumulation: `a` is row i of A.
template <class B>
void product_row(const GemmArgs& g, const std::vector<double>& a, std::vector<double>& sums) {
  const B* b = static_cast<const B*>(g.b);
  if (g.b_transposed) {
    for (int64_t j = 0; j < g.n; ++j) sums[static_cast<size_t>(j)] = dot_product(a.data(), b + j * g.k, g.k);
    return;
  }
  std::ranges::fill(sums, 0.0);
  for (int64_t p = 0; p < g.k; ++p) {
    const double factor = a[static_cast<size_t>(p)];
    for (int64_t j = 0; j < g.n; ++j) sums[static_cast<size_t>(j)] += factor * to_double(b[p * g.n + j]);
  }
}

void store_row(const GemmArgs& g, int64_t i, const std::vector<double>& sums) {
  for (int64_t j = 0; j < g.n; ++j) {
    double value = sums[static_cast<size_t>(j)];
    if (g.bias != nullptr) value += load(g.bias, wide_of(g.c_dtype), j);
    if (g.accumulate) value += load(g.c, g.c_dtype, i * g.n + j);
    store(g.c, g.c_dtype, i * g.n + j, value);
  }
}

}  // namespace

bool gemm(const GemmArgs& g) {
  visit_float(g.b_dtype, [&]<class B>() {
    parallel_for(g.m, kGrain / std::max<int64_t>(g.n * g.k, 1), [&](int64_t begin, int64_t end) {
      std::vector<double> a(static_cast<size_t>(g.k)), sums(static_cast<size_t>(g.n));
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t p = 0; p < g.k; ++p) {
          a[static_cast<size_t>(p)] = load(g.a, g.a_dtype, g.a_transposed ? p * g.m + i : i * g.k + p);
        }
        product_row<B>(g, a, sums);
        store_row(g, i, sums);
      }
    });
  });
  return true;
}

bool linear_rows(const LinearRowsArgs& a) {
  return gemm(
      GemmArgs{a.m, a.n, a.k, a.x, a.dtype, false, a.w, a.w_dtype, true, a.y, a.dtype, a.bias, false});
}

}  // namespace quern::backend::reference
