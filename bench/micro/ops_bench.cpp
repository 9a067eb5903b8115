// Speed of every op on every kernel table, from the benches of the op registry:
//   bench_ops --benchmark_filter='linear.*/avx512.*'
// FLOP/s counts multiply-adds as two; B/s counts the bytes of inputs and output (of gradients too, backward)
// once: the least an op can move.
#include <benchmark/benchmark.h>

#include "autograd/graph.h"
#include "backend/api/backend.h"
#include "support/op_rows/run_case.h"

namespace quern::ops::rows {
namespace {

double bytes_of(const std::vector<Tensor>& tensors) {
  double bytes = 0.0;
  for (const Tensor& tensor : tensors) bytes += static_cast<double>(tensor.bytes());
  return bytes;
}

void report(benchmark::State& state, double flops, double bytes) {
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  if (flops > 0.0) state.counters["FLOP/s"] = benchmark::Counter(flops, rate);
  state.counters["B/s"] = benchmark::Counter(bytes, rate);
}

void forward(benchmark::State& state, const backend::KernelTable& table, const OpBench& bench, DType dtype) {
  const backend::ScopedTable scope(table);
  const autograd::NoGrad no_grad;
  const CaseData data = data_of(bench.op, dtype);
  for (auto _ : state) benchmark::DoNotOptimize(bench.op.run(data.inputs).raw());
  report(state, bench.flops, bytes_of(data.inputs) + static_cast<double>(data.dy.bytes()));
}

void forward_backward(benchmark::State& state, const backend::KernelTable& table, const OpBench& bench,
                      DType dtype) {
  const backend::ScopedTable scope(table);
  const CaseData data = data_of(bench.op, dtype);
  for (auto _ : state) benchmark::DoNotOptimize(run_case(bench.op, data).y.raw());
  report(state, bench.flops + bench.backward_flops,
         3.0 * (bytes_of(data.inputs) + static_cast<double>(data.dy.bytes())));
}

void register_all() {
  for (const OpRow& row : op_rows()) {
    for (const OpBench& bench : row.benches) {
      // The reference comes first and is not for speed.
      for (const backend::KernelTable* table : backend::supported_tables().subspan(1)) {
        for (const DType dtype : {DType::f32, DType::bf16}) {
          const std::string name =
              row.name + "/" + bench.op.name + "/" + table->name + "/" + std::string(name_of(dtype));
          const auto add = [&](const std::string& suffix, auto* run) {
            benchmark::RegisterBenchmark(
                (name + suffix).c_str(),
                [=, &bench](benchmark::State& state) { run(state, *table, bench, dtype); })
                ->UseRealTime()
                ->Unit(benchmark::kMicrosecond);
          };
          add("/forward", forward);
          add("/both", forward_backward);
        }
      }
    }
  }
}

}  // namespace
}  // namespace quern::ops::rows

int main(int argc, char** argv) {
  quern::backend::register_backends();
  quern::ops::rows::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
