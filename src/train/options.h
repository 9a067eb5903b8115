// The settings of a training run (the `train:` section of its configuration).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/config.h"
#include "data/sampler.h"
#include "train/adamw.h"
#include "train/schedule.h"

namespace quern::train {

struct TrainOptions {
  int64_t steps = 1000;
  std::string batch = "32";      // sequences per optimiser step; a StepValue
  std::string sequence = "256";  // tokens per sequence; a StepValue
  int64_t micro_batch =
      0;              // sequences per forward pass, 0: the batch; smaller ones accumulate to the same step
  Schedule schedule;  // its `total` is `steps`
  AdamWOptions optimizer;
  double clip = 1.0;  // largest norm of the gradient, 0: no clipping
  DType dtype = DType::f32;
  bool checkpointing = false;  // activation checkpointing
  data::SamplingMode sampling = data::SamplingMode::packed;
  uint64_t seed = 1;
  // Set from the tokenizer, not by a field: in conversations, only what the assistant says is a target.
  std::optional<data::ChatTokens> assistant_only;

  int64_t log_every = 10;
  int64_t eval_every = 200;
  int64_t eval_batches = 0;  // validation batches per evaluation, 0: all
  int64_t early_stop = 0;    // evaluations without a better validation loss before stopping, 0: never
  int64_t save_every = 500;
  int64_t keep = 2;  // newest checkpoints kept
  int64_t sample_every = 0;

  void fields(Fields& f);
  // What single fields cannot check. The schedule's total is set from `steps`.
  Result<void> finish();

  StepValue batch_sizes, sequence_lengths;  // parsed by finish()
};

}  // namespace quern::train
