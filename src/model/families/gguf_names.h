// Names of tensors in GGUF files, which families share but for a few.
#pragma once

#include <functional>

#include "model/families/tensor_names.h"

namespace quern::model {

// Names as most architectures have them; `others` replace or add to them.
std::vector<TensorName> gguf_tensors(const ModelConfig& config, std::vector<ModuleName> others);
// With none replaced.
std::vector<TensorName> gguf_tensors(const ModelConfig& config);
// With queries, keys and values joined.
std::vector<TensorName> gguf_joined_tensors(const ModelConfig& config);

// `names` as a file has them whose writer chose otherwise: queries, keys and values joined or each by itself, experts
// each by itself, their gates in one stack with what they open. `holds` tells the file's tensors.
std::vector<TensorName> names_in_file(const std::vector<TensorName>& names,
                                      const std::function<bool(const std::string& file)>& holds);

}  // namespace quern::model
