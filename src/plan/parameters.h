// Parameters by part of the model.
#pragma once

#include <cstdint>

#include "model/decoder.h"

namespace quern::plan {

// Weights and biases together, each counted once.
struct ParameterCount {
  int64_t embedding = 0;
  int64_t positions = 0;  // learned ones
  int64_t attention = 0;  // projections, and the norms of queries and keys
  int64_t mlp = 0;
  int64_t norms = 0;
  int64_t head = 0;  // 0 when tied to the embedding

  int64_t total() const { return embedding + positions + attention + mlp + norms + head; }
  // What Kaplan et al. call N: without token and position tables and without the head.
  int64_t without_embeddings() const { return attention + mlp + norms; }
};

// Walks the structure that training and serving use. Values need not be allocated.
ParameterCount count_parameters(const model::Decoder& model);

}  // namespace quern::plan
