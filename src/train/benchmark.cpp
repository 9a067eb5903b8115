#include "train/benchmark.h"

#include <algorithm>
#include <vector>

#include "autograd/graph.h"
#include "backend/api/backend.h"
#include "base/clock.h"
#include "base/rng.h"
#include "model/decoder.h"
#include "model/flops.h"
#include "train/adamw.h"

namespace quern::train {

void TrainBenchmarkConfig::fields(Fields& f) {
  f.group("model", model);
  f.add("batch", batch, "sequences per step").at_least(1);
  f.add("sequence", sequence, "tokens per sequence").at_least(1);
  f.add("dtype", dtype, "of activations and matrices",
        {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}});
  f.add("checkpointing", checkpointing, "recompute activations in backward");
  f.add("steps", steps, "measured steps").at_least(1);
}

namespace {

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

Tensor random_tokens(Shape shape, int64_t vocab, uint64_t stream) {
  Rng rng(1, stream);
  Tensor tokens(shape, DType::i32);
  for (int32_t& token : tokens.span<int32_t>())
    token = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocab)));
  return tokens;
}

// y[M,N] = x[M,K] w[N,K]^T, the product of a Linear, over sizes that fill the machine.
double best_gemm_rate(DType dtype) {
  struct Size {
    int64_t m, n, k;
  };
  double best = 0.0;
  for (const Size& s : {Size{2048, 3072, 768}, Size{2048, 768, 3072}, Size{2048, 2048, 2048}}) {
    const Tensor x = Tensor::full({s.m, s.k}, 0.5, dtype), w = Tensor::full({s.n, s.k}, 0.25, dtype),
                 y({s.m, s.n}, dtype);
    std::vector<double> times;
    for (int i = 0; i < 8; ++i) {
      const Stopwatch start;
      backend::run(&backend::KernelTable::gemm,
                   backend::GemmArgs{s.m, s.n, s.k, x.raw(), dtype, false, w.raw(), dtype, true, y.raw(),
                                     dtype, nullptr, false});
      times.push_back(start.seconds());
    }
    best = std::max(best, 2.0 * static_cast<double>(s.m * s.n * s.k) / *std::ranges::min_element(times));
  }
  return best;
}

}  // namespace

Result<TrainBenchmark> benchmark_training(const TrainBenchmarkConfig& config, Progress& progress) {
  constexpr int64_t kWarmup = 2;
  TrainBenchmark result;
  result.gemm_flops_per_second = best_gemm_rate(config.dtype);
  QUERN_TRY(model::Decoder model, model::Decoder::create(config.model, 1));
  model.set_compute_dtype(config.dtype);
  AdamW optimizer(model, {});
  const int64_t count = config.batch * config.sequence, vocab = config.model.vocab_size;
  nn::ForwardContext context = nn::ForwardContext::causal(config.batch, config.sequence);
  context.checkpoint = config.checkpointing;
  const Tensor weights = Tensor::full({count}, 1.0 / static_cast<double>(count));
  const Tensor tokens = random_tokens({config.batch, config.sequence}, vocab, 0);
  const Tensor targets = random_tokens({config.batch, config.sequence}, vocab, 1);

  std::vector<double> whole, forward, backward, update;
  ProgressScope scope(progress, "bench train", kWarmup + config.steps, "steps");
  for (int64_t step = 0; step < kWarmup + config.steps; ++step) {
    if (step == kWarmup) {
      for (auto* times : {&whole, &forward, &backward, &update}) times->clear();
      reset_peak_memory();
    }
    const Stopwatch start;
    const Tensor loss = model.loss(model.hidden(tokens, context), targets, weights);
    forward.push_back(start.seconds());
    autograd::backward(loss);
    backward.push_back(start.seconds() - forward.back());
    const Stopwatch updating;
    const double norm = optimizer.grad_norm();
    optimizer.step(1e-4, norm > 1.0 ? 1.0 / norm : 1.0);
    update.push_back(updating.seconds());
    whole.push_back(start.seconds());
    scope.update(step + 1, {{"loss", loss.item()}, {"tok/s", static_cast<double>(count) / whole.back()}});
  }
  result.parameters = nn::parameter_count(model);
  result.seconds = median(whole);
  result.forward_seconds = median(forward);
  result.backward_seconds = median(backward);
  result.optimizer_seconds = median(update);
  result.tokens_per_second = static_cast<double>(count) / result.seconds;
  result.flops_per_token = model::training_flops_per_token(model, config.sequence);
  result.flops_per_second = result.flops_per_token * result.tokens_per_second;
  result.state_bytes = 2 * optimizer.state_bytes();  // two moments, master and gradient, f32 each
  result.peak_bytes = memory_stats().peak;
  return result;
}

}  // namespace quern::train
