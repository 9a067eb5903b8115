#include "model/families/tensor_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/exception.h"
#include "model/reward_model.h"
#include "model/structure.h"

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

constexpr std::string_view kExperts = ".experts.";

// "mlp.experts.12.up" as "mlp.experts.*.up" and "12"; another module as itself and "".
std::pair<std::string, std::string> without_expert(std::string_view module) {
  const size_t at = module.find(kExperts);
  if (at == module.npos) return {std::string(module), ""};
  const size_t begin = at + kExperts.size(), end = module.find('.', begin);
  return {fmt::format("{}*{}", module.substr(0, begin), module.substr(end)),
          std::string(module.substr(begin, end - begin))};
}

std::string with_expert(std::string_view name, std::string_view expert) {
  const size_t star = name.find('*');
  if (star == name.npos) return std::string(name);
  return fmt::format("{}{}{}", name.substr(0, star), expert, name.substr(star + 1));
}

}  // namespace

std::vector<TensorName> tensor_names(const ModelConfig& config, std::string_view blocks,
                                     std::span<const ModuleName> rows) {
  std::vector<TensorName> names;
  nn::visit(*make_structure(config).value(), [&](const std::string& name, const nn::Parameter& parameter) {
    if (name == kScoreName) {
      names.push_back({name, {name}});
      return;
    }
    const ParameterPath path(name);
    const auto [module, expert] = without_expert(path.module);
    const auto row = std::ranges::find_if(rows, [&, wanted = module](const ModuleName& candidate) {
      return std::ranges::find(candidate.modules, wanted) != candidate.modules.end();
    });
    if (row == rows.end()) throw InternalError("[tensor_names] no name in files for " + name);
    if (row->modules.front() != module) return;  // joined to the first
    const bool stacked = !expert.empty() && row->file.find('*') == row->file.npos;
    if (stacked && expert != "0") return;
    TensorName tensor;
    if (!path.block.empty()) {
      tensor.file = std::string(blocks) + std::string(path.block.substr(std::string_view("blocks.").size()));
    }
    tensor.file += fmt::format("{}.{}", with_expert(row->file, expert), path.part);
    for (int64_t e = 0; e < (stacked ? config.experts : 1); ++e) {
      for (const std::string_view joined : row->modules) {
        tensor.parameters.push_back(fmt::format(
            "{}{}.{}", path.block, with_expert(joined, stacked ? std::to_string(e) : expert), path.part));
      }
    }
    tensor.stacked = stacked;
    tensor.transposed = row->transposed && parameter.is_matrix();
    if (row->grouped) tensor.groups = config.resolved().kv_heads;
    names.push_back(std::move(tensor));
  });
  return names;
}

}  // namespace quern::model
