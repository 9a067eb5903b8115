#include "train/options.h"

#include <fmt/format.h>

namespace quern::train {

void TrainOptions::fields(Fields& f) {
  f.add("steps", steps, "optimiser steps").at_least(1);
  f.add("batch", batch, "sequences per step, or a curriculum: 32@0,64@500");
  f.add("sequence", sequence, "tokens per sequence, or a curriculum: 128@0,512@1000");
  f.add("micro_batch", micro_batch,
        "sequences per forward pass; fewer use less memory for the same result; 0: batch")
      .at_least(0);
  f.add("lr", schedule.lr, "highest learning rate").at_least(0);
  f.add("schedule", schedule.decay, "how the learning rate falls",
        {{"cosine", Decay::cosine},
         {"linear", Decay::linear},
         {"constant", Decay::constant},
         {"wsd", Decay::wsd}});
  f.add("warmup", schedule.warmup, "steps of linear warm-up").at_least(0);
  f.add("min_lr_ratio", schedule.min_ratio, "where the schedule ends, as a share of lr").range(0, 1);
  f.add("decay_fraction", schedule.decay_fraction, "share of the steps in which wsd decays").range(0, 1);
  f.add("beta1", optimizer.beta1, "AdamW: decay of the first moment").range(0, 0.999999);
  f.add("beta2", optimizer.beta2, "AdamW: decay of the second moment").range(0, 0.999999);
  f.add("eps", optimizer.eps, "AdamW: added to the denominator").at_least(0);
  f.add("weight_decay", optimizer.weight_decay, "AdamW: decay of matrices").at_least(0);
  f.add("clip", clip, "largest gradient norm; 0: no clipping").at_least(0);
  f.add("dtype", dtype, "of activations and of the matrices they meet; masters and moments stay f32",
        {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}});
  f.add("checkpointing", checkpointing, "recompute activations in backward to save memory");
  f.add("sampling", sampling, "packed: whole documents, no attention across them; contiguous: random crops",
        {{"packed", data::SamplingMode::packed}, {"contiguous", data::SamplingMode::contiguous}});
  f.add("seed", seed, "of initial weights, data order and dropout");
  f.add("log_every", log_every, "steps between rows of metrics").at_least(1);
  f.add("eval_every", eval_every, "steps between evaluations; 0: only at the end").at_least(0);
  f.add("eval_batches", eval_batches, "validation batches per evaluation; 0: all").at_least(0);
  f.add("early_stop", early_stop, "stop after this many evaluations without progress; 0: never").at_least(0);
  f.add("save_every", save_every, "steps between checkpoints; 0: only at the end").at_least(0);
  f.add("keep", keep, "newest checkpoints kept").at_least(1);
  f.add("sample_every", sample_every, "steps between samples of text; 0: never").at_least(0);
}

Result<void> TrainOptions::finish() {
  QUERN_TRY(batch_sizes, StepValue::parse("train.batch", batch));
  QUERN_TRY(sequence_lengths, StepValue::parse("train.sequence", sequence));
  constexpr double kMostTokens = 0x1p31;
  const double tokens = static_cast<double>(batch_sizes.max()) * static_cast<double>(sequence_lengths.max());
  if (tokens > kMostTokens) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("train.batch {} of train.sequence {}: a step of {:.3g} tokens, at most 2^31 are possible",
                    batch, sequence, tokens),
        "large runs use batches of 2^19 to 2^22 tokens");
  }
  schedule.total = steps;
  return {};
}

}  // namespace quern::train
