// Everything `quern plan` answers: about one model and workload, and about a compute budget.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "plan/hardware.h"
#include "plan/inference.h"
#include "plan/parameters.h"
#include "plan/scaling_law.h"
#include "plan/training_memory.h"

namespace quern::plan {

// What is asked.
struct PlanConfig {
  model::ModelConfig model;

  int64_t batch = 1;     // training: sequences in one forward pass
  int64_t sequence = 0;  // training: tokens of each; 0: the model's positions, at most 1024
  DType dtype = DType::bf16;
  int64_t rank = 16;
  std::vector<std::string> targets;
  std::string tokens;  // of the whole training, "20G"; empty: what the budget pays for, or 20 per parameter

  int64_t sequences = 1;  // generation: sequences at once
  int64_t context = 0;    // generation: tokens of each; 0: the model's positions, at most 4096

  double flops = 0.0;    // the budget, or
  double days = 0.0;     // `count` pieces of `hardware` for so long
  std::string hardware;  // empty: all that are known
  int64_t count = 1;
  double mfu = 0.4;        // share of the peak that training reaches (arXiv 2204.02311, section 4.1)
  double tflops = 0.0;     // of hardware that is not in the table, or in place of what the table says
  double memory = 0.0;     // GB
  double bandwidth = 0.0;  // GB/s
  double price = 0.0;      // US dollars per hour

  void fields(Fields& f);
  // The hardware asked for, or all. invalid_argument for an unknown name.
  Result<std::vector<Hardware>> devices() const;
  // The budget in floating-point operations; 0 when none was given. invalid_argument for half a budget.
  Result<double> budget() const;
};

struct Optimum {
  std::string law;
  double parameters, tokens, loss;
};

// Compute-optimal sizes for C = 6 N D floating-point operations, law by law.
std::vector<Optimum> optimal_sizes(double flops);

struct WeightRow {
  Precision precision;
  int64_t bytes;          // all weights
  int64_t step_bytes;     // weights and caches that a decoding step reads
  int64_t context_bytes;  // weights and caches of all sequences at the asked context
};

struct CacheRow {
  int64_t tokens;
  std::vector<int64_t> bytes;  // of one sequence, by cache_precisions()
};

// One kind of hardware: what fits on one piece, how long `count` of them train, how fast one generates.
struct DevicePlan {
  Hardware device;
  std::string trains;  // "full", "full, checkpointed", "LoRA", ..., or "no"
  double seconds = 0.0;
  double cost = 0.0;         // 0: price unknown
  std::string serves;        // the widest precision that fits beside the caches, or "no"
  double decode_rate = 0.0;  // tokens per second at that precision, all sequences together; 0: none fits
};

struct PredictedLoss {
  std::string law;
  double loss;
};

struct ModelPlan {
  model::ModelConfig config;
  ParameterCount parameters;
  int64_t product_parameters = 0;
  int64_t active_parameters = 0;  // of those, what one token meets: of experts the chosen ones

  TrainingSetup setup;
  TrainingMemory full, lora, qlora;

  int64_t sequences = 1, context = 1;
  std::vector<WeightRow> weights;
  std::vector<CacheRow> caches;

  double training_flops_per_token = 0.0;
  double prefill_flops = 0.0;  // a prompt of `context` tokens
  double decode_flops = 0.0;   // one token at the end of it

  double tokens = 0.0;          // of the whole training
  std::string tokens_from;      // why so many
  double training_flops = 0.0;  // of all of them
  std::vector<PredictedLoss> losses;

  int64_t count = 1;
  double mfu = 0.0;
  std::vector<DevicePlan> devices;
};

// invalid_argument for an impossible model, longer texts than the model has positions, unknown hardware.
Result<ModelPlan> plan_model(const PlanConfig& config);

}  // namespace quern::plan
