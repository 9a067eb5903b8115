#include "nn/soft_prompt.h"

#include "ops/replace_rows.h"

namespace quern::nn {

Tensor SoftPrompt::embeddings(const Tensor& x, const Tensor& which) const {
  return ops::replace_rows(x, which, rows_.value());
}

void SoftPrompt::visit(const Visitor& visitor, const std::string& prefix) {
  visitor(prefix + "prompt_embeddings", rows_);
}

}  // namespace quern::nn
