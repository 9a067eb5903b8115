// The tensors of a checkpoint from the names of its modules, so that a family lists names and nothing else.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/family.h"

namespace quern::model {

// A module in files, and the modules of the model whose weights it holds, joined along the output dimension. Of a
// block both names are relative: {"self_attn.q_proj", {"attention.q"}}.
// A * stands for the number of an expert; where the file's name has none, the experts' matrices are stacked.
struct ModuleName {
  std::string file;
  std::vector<std::string_view> modules;
  bool transposed = false;  // its matrix is [in, out]
  bool grouped = false;     // queries of one key-value head, its key and its value, then those of the next
};

// Names every parameter that a model of `config` has. `blocks` stands before the number of a block in files
// ("model.layers."). Of several rows that name a module the first counts; rows of modules the config lacks
// name nothing. The score of a reward model has one name in all families. Throws InternalError for a module that no row
// names.
std::vector<TensorName> tensor_names(const ModelConfig& config, std::string_view blocks,
                                     std::span<const ModuleName> rows);

}  // namespace quern::model
