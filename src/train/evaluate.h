// What held-out data says of a model, and the loss of one on held-out text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/sampler.h"
#include "model/decoder.h"

namespace quern::train {

// A number by name, as metrics have it.
using Figure = std::pair<std::string, double>;

struct Evaluation {
  double loss = 0.0;   // the lower, the better; of text, nats per token
  int64_t tokens = 0;  // targets that counted
  // What else was found, in the order people read it. Of text: perplexity, exp(loss), and, where the dataset knows its
  // bytes, bits_per_byte of UTF-8.
  std::vector<Figure> figures = {};

  std::optional<double> figure(std::string_view name) const;
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
