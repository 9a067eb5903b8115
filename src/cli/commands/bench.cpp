// quern bench train, and the table of what else is measured: bench_<name>.cpp
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/text_table.h"
#include "base/threads.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "model/presets.h"
#include "train/benchmark.h"

namespace quern::cli {

namespace {

std::string gigaflops(double rate) { return fmt::format("{:.0f} GFLOP/s", rate / 1e9); }

nlohmann::ordered_json to_json(const train::TrainBenchmark& r) {
  return {{"parameters", r.parameters},
          {"threads", num_threads()},
          {"seconds_per_step", r.seconds},
          {"forward_seconds", r.forward_seconds},
          {"backward_seconds", r.backward_seconds},
          {"optimizer_seconds", r.optimizer_seconds},
          {"tokens_per_second", r.tokens_per_second},
          {"flops_per_token", r.flops_per_token},
          {"flops_per_second", r.flops_per_second},
          {"gemm_flops_per_second", r.gemm_flops_per_second},
          {"share_of_gemm_rate", r.flops_per_second / r.gemm_flops_per_second},
          {"state_bytes", r.state_bytes},
          {"peak_bytes", r.peak_bytes}};
}

std::string to_text(const train::TrainBenchmark& r) {
  TextTable table({"", ""});
  table.add({"parameters", human_count(static_cast<double>(r.parameters))});
  table.add({"step (median)", human_duration(r.seconds)});
  table.add({"  forward + loss", human_duration(r.forward_seconds)});
  table.add({"  backward", human_duration(r.backward_seconds)});
  table.add({"  clip + AdamW", human_duration(r.optimizer_seconds)});
  table.add({"tokens/s", fmt::format("{:.1f}", r.tokens_per_second)});
  table.add({"rate", gigaflops(r.flops_per_second)});
  table.add({"matrix products alone", gigaflops(r.gemm_flops_per_second)});
  table.add({"share of that", fmt::format("{:.1f} %", 100.0 * r.flops_per_second / r.gemm_flops_per_second)});
  table.add({"weights, gradients, moments", human_bytes(static_cast<uint64_t>(r.state_bytes))});
  table.add({"peak memory", human_bytes(static_cast<uint64_t>(r.peak_bytes))});
  return table.to_string(0);
}

Runner define_train(CommandLine& line) {
  auto config = std::make_shared<train::TrainBenchmarkConfig>();
  config->model = model::gpt2_small();
  line.config(*config);
  line.config_flag("--batch", "batch");
  line.config_flag("--sequence", "sequence");
  line.config_flag("--dtype", "dtype");
  line.config_flag("--steps", "steps");
  return [config](Context& context) -> Result<void> {
    QUERN_TRY(const train::TrainBenchmark result, train::benchmark_training(*config, *context.progress));
    context.print(context.json ? to_json(result).dump(2) + "\n" : to_text(result));
    return {};
  };
}

Command bench_train_command() {
  return {
      .name = "train",
      .group = Group::inspect,
      .summary = "training steps of a model with random weights, against the rate of matrix products alone",
      .details = "Without settings the model is GPT-2 124M. Times are medians over the measured steps.",
      .examples =
          "quern bench train --dtype bf16 --sequence 512\n"
          "quern bench train --set model.layers=4 --set checkpointing=true",
      .define = define_train,
      .subcommands = {}};
}

}  // namespace

Command bench_infer_command();
Command bench_serve_command();

Command bench_command() {
  return {.name = "bench",
          .group = Group::inspect,
          .summary = "measure how fast this machine trains and runs models",
          .details = {},
          .examples = "quern bench infer runs/demo/model",
          .define = nullptr,
          .subcommands = {bench_train_command(), bench_infer_command(), bench_serve_command()}};
}

}  // namespace quern::cli
