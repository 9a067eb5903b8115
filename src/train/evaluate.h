// Loss of a model on held-out tokens.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "data/sampler.h"
#include "model/decoder.h"

namespace quern::train {

struct Evaluation {
  double loss = 0.0;           // nats per token
  double perplexity = 0.0;     // exp(loss)
  double bits_per_byte = 0.0;  // of UTF-8 text; 0 when the dataset does not know its text
  int64_t tokens = 0;          // targets that counted
};

struct EvaluateOptions {
  data::SamplingMode mode = data::SamplingMode::packed;
  data::BatchShape shape{8, 256};
  int64_t max_batches = 0;  // 0: the whole dataset
};

// Averages over the first `max_batches` batches, always the same ones. invalid_argument when the dataset is
// too small.
Result<Evaluation> evaluate(const model::Decoder& model, const data::TokenDataset& dataset,
                            const EvaluateOptions& options);

}  // namespace quern::train
