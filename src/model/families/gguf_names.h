// Names of tensors in GGUF files, which families share but for a few.
#pragma once

#include "model/families/tensor_names.h"

namespace quern::model {

// Names as most architectures have them; `others` replace or add to them.
std::vector<TensorName> gguf_tensors(const ModelConfig& config, std::vector<ModuleName> others);
// With none replaced.
std::vector<TensorName> gguf_tensors(const ModelConfig& config);
// With queries, keys and values joined.
std::vector<TensorName> gguf_joined_tensors(const ModelConfig& config);

}  // namespace quern::model
