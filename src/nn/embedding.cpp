#include "nn/embedding.h"

#include "ops/embedding.h"

namespace quern::nn {

Embedding::Embedding(int64_t rows, int64_t channels, double std)
    : weight_(Shape{rows, channels}, Init{0.0, std}) {}

Tensor Embedding::forward(const Tensor& ids, DType dtype) const {
  return ops::embedding(ids, weight_.value(), dtype);
}

void Embedding::visit(const Visitor& visitor, const std::string& prefix) {
  visitor(prefix + "weight", weight_);
}

}  // namespace quern::nn
