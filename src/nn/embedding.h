// A table of vectors: token embeddings and learned positions.
#pragma once

#include "nn/module.h"

namespace quern::nn {

// y[..., C] = weight[ids[...]].
class Embedding final : public Module {
 public:
  // Rows start as N(0, std).
  Embedding(int64_t rows, int64_t channels, double std);

  // ids: i32 of any shape, each in [0, rows). The result has dtype `dtype`.
  Tensor forward(const Tensor& ids, DType dtype) const;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
};

}  // namespace quern::nn
