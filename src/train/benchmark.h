// How fast this machine trains a model, against the rate its matrix products reach alone in the same run.
#pragma once

#include <cstdint>

#include "base/progress.h"
#include "base/result.h"
#include "model/config.h"

namespace quern::train {

struct TrainBenchmarkConfig {
  model::ModelConfig model;
  int64_t batch = 4;
  int64_t sequence = 64;
  DType dtype = DType::f32;
  bool checkpointing = false;
  int64_t steps = 10;  // measured, after two that are not

  void fields(Fields& f);
};

struct TrainBenchmark {
  int64_t parameters = 0;
  double seconds = 0.0;  // median of a step: forward, backward, clipping, AdamW
  double forward_seconds = 0.0;
  double backward_seconds = 0.0;
  double optimizer_seconds = 0.0;
  double tokens_per_second = 0.0;
  double flops_per_token = 0.0;  // model::training_flops_per_token
  double flops_per_second = 0.0;
  double gemm_flops_per_second = 0.0;  // best of a few large products in the same dtype, measured in this run
  int64_t state_bytes = 0;             // weights, gradients and moments
  int64_t peak_bytes = 0;              // everything, at its highest
};

// Random weights on random tokens: speed does not depend on either.
Result<TrainBenchmark> benchmark_training(const TrainBenchmarkConfig& config, Progress& progress);

}  // namespace quern::train
