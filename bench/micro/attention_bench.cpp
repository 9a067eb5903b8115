// Attention forward and backward of every CPU table, in GFLOP/s of the products a causal mask leaves
// (backward: the five it needs). Threads: OMP_NUM_THREADS.
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "backend/api/backend.h"
#include "base/threads.h"
#include "micro/measure.h"

namespace quern::bench {
namespace {

void measure(const backend::KernelTable& table, DType dtype, int64_t batch, int64_t length, int64_t heads,
             int64_t kv_heads, int64_t dim) {
  using Bytes = std::vector<char>;
  const size_t rows = static_cast<size_t>(batch * length * heads * dim * size_of(dtype));
  const size_t keys = static_cast<size_t>(batch * length * kv_heads * dim * size_of(dtype));
  Bytes q(rows), k(keys), v(keys), y(rows), dy(rows), dq(rows), dk(keys), dv(keys);
  std::vector<float> lse(static_cast<size_t>(batch * heads * length));
  std::vector<int32_t> begin(static_cast<size_t>(batch * length)), end;
  for (int64_t i = 0; i < batch * length; ++i) end.push_back(static_cast<int32_t>(i % length + 1));
  const backend::AttentionArgs args{batch,
                                    length,
                                    length,
                                    heads,
                                    kv_heads,
                                    dim,
                                    q.data(),
                                    k.data(),
                                    v.data(),
                                    begin.data(),
                                    end.data(),
                                    nullptr,
                                    1.0 / std::sqrt(static_cast<double>(dim)),
                                    0.0,
                                    y.data(),
                                    lse.data(),
                                    length * kv_heads * dim,
                                    dtype};
  const double product =
      1e-9 * static_cast<double>(batch * heads * dim) * static_cast<double>(length * (length + 1));
  const double forward = best_seconds([&] { table.attention(args); });
  const double backward = best_seconds([&] {
    table.attention_backward({args, dy.data(), dq.data(), dk.data(), dv.data()});
  });
  fmt::print(
      "{:<12} {:<5} B={:<2} T={:<5} H={:<3} K={:<3} D={:<4} forward {:8.2f} ms {:6.0f} GFLOP/s   backward "
      "{:8.2f} ms {:6.0f} GFLOP/s\n",
      table.name, name_of(dtype), batch, length, heads, kv_heads, dim, forward * 1e3, 2 * product / forward,
      backward * 1e3, 5 * product / backward);
}

}  // namespace
}  // namespace quern::bench

int main() {
  using quern::DType;
  quern::backend::register_backends();
  fmt::print("attention, {} threads\n", quern::num_threads());
  for (const auto* table : quern::backend::supported_tables().subspan(2)) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      quern::bench::measure(*table, dtype, 4, 64, 12, 12, 64);
      quern::bench::measure(*table, dtype, 4, 512, 12, 12, 64);
      quern::bench::measure(*table, dtype, 1, 1024, 32, 8, 128);
    }
  }
}
