#include "model/families/tensor_names.h"

#include <algorithm>

#include "base/exception.h"
#include "model/decoder.h"

namespace quern::model {

namespace {

// "blocks.3.attention.q.weight" as "blocks.3.", "attention.q" and "weight"; outside blocks the first is empty.
struct ParameterPath {
  std::string_view block, module, part;

  explicit ParameterPath(std::string_view name) {
    if (name.starts_with("blocks.")) {
      block = name.substr(0, name.find('.', std::string_view("blocks.").size()) + 1);
      name.remove_prefix(block.size());
    }
    const size_t dot = name.rfind('.');
    module = name.substr(0, dot);
    part = name.substr(dot + 1);
  }
};

}  // namespace

std::vector<TensorName> tensor_names(const ModelConfig& config, std::string_view blocks,
                                     std::span<const ModuleName> rows) {
  std::vector<TensorName> names;
  nn::visit(Decoder::create(config).value(), [&](const std::string& name, const nn::Parameter& parameter) {
    const ParameterPath path(name);
    const auto row = std::ranges::find_if(rows, [&](const ModuleName& candidate) {
      return std::ranges::find(candidate.modules, path.module) != candidate.modules.end();
    });
    if (row == rows.end()) throw InternalError("[tensor_names] no name in files for " + name);
    if (row->modules.front() != path.module) return;  // joined to the first
    TensorName tensor;
    if (!path.block.empty()) {
      tensor.file = std::string(blocks) + std::string(path.block.substr(std::string_view("blocks.").size()));
    }
    tensor.file += std::string(row->file) + "." + std::string(path.part);
    for (const std::string_view module : row->modules) {
      tensor.parameters.push_back(std::string(path.block) + std::string(module) + "." +
                                  std::string(path.part));
    }
    tensor.transposed = row->transposed && parameter.is_matrix();
    if (row->grouped) tensor.groups = config.resolved().kv_heads;
    names.push_back(std::move(tensor));
  });
  return names;
}

}  // namespace quern::model
