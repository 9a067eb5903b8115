// What all kinds of tuning on prepared examples have in common.
#pragma once

#include <cstdint>

#include "data/supervised_sampler.h"
#include "model/config.h"
#include "nn/context.h"
#include "train/objective.h"

namespace quern::train {

struct TuningOptions {
  int64_t batch = 16;  // examples of a step
  bool checkpointing = false;
  uint64_t seed = 0;     // of dropout
  double dropout = 0.0;  // whether any is on: of the model or its adapter
};

// invalid_argument where examples hold tokens that the model has not, or rows are longer than it has positions.
Result<void> check_examples(const model::ModelConfig& config, const data::SupervisedSampler& examples);

// Of a pass that is learnt from, the `micro_batches`-th of the run.
nn::ForwardContext training_context(const data::SupervisedBatch& batch, const TuningOptions& options,
                                    int64_t micro_batches);

// "epoch", "examples" and "padding" of a step, for the metrics; `drawn` examples of `examples` were learnt so far.
std::vector<Figure> figures_of_step(const data::SupervisedStep& step, int64_t drawn, int64_t examples);

}  // namespace quern::train
