#include "model/bottleneck.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "model/family.h"
#include "ops/cast.h"

namespace quern::model {

namespace {

using formats::PeftBottleneck;
using formats::PeftConfig;
using formats::PeftFolder;
using nn::Branch;
using ops::Activation;

// transformers' names, which AdapterHub uses.
constexpr std::array<std::pair<std::string_view, Activation>, 9> kInnerActivations{{
    {"relu", Activation::relu},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"gelu", Activation::gelu_erf},
    {"gelu_new", Activation::gelu_tanh},
    {"tanh", Activation::tanh},
    {"sigmoid", Activation::sigmoid},
    {"relu2", Activation::relu_squared},
    {"linear", Activation::identity},
}};

// A branch, its module in a layer of AdapterHub's models, and whether the settings want it.
struct BranchPlace {
  Branch branch;
  std::string_view module;
  bool PeftBottleneck::*wanted;
};
constexpr BranchPlace kBranches[] = {{Branch::attention, "attention_adapters", &PeftBottleneck::attention},
                                     {Branch::mlp, "output_adapters", &PeftBottleneck::mlp}};
constexpr std::string_view kNames = ".adapters.";  // between a module and the name of an adapter

Result<nn::BottleneckSpec> spec_of(const ModelConfig& config, const PeftConfig& settings) {
  const PeftBottleneck& wanted = settings.bottleneck;
  const auto named = std::ranges::find(kInnerActivations, wanted.activation,
                                       &std::pair<std::string_view, Activation>::first);
  if (named == kInnerActivations.end()) {
    std::vector<std::string_view> known;
    known.reserve(kInnerActivations.size());
    for (const auto& [name, activation] : kInnerActivations) known.push_back(name);
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("no activation of a bottleneck is named '{}'", wanted.activation),
                      fmt::format("there are {}", fmt::join(known, ", ")));
  }
  if (wanted.reads_stream && config.layout == nn::BlockLayout::post_norm) {
    return make_error(ErrorCode::unsupported,
                      "bottlenecks that read the residual stream are for models without norms on it",
                      "those that read their branch (adapter.reads: branch) are for all");
  }
  return nn::BottleneckSpec{.activation = named->second,
                            .scale = wanted.scale,
                            .dropout = settings.dropout,
                            .reads_stream = wanted.reads_stream};
}

// Of each layer, its path in the published model: "model.layers.3".
std::vector<std::string> layer_paths(const ModelConfig& config) {
  std::vector<std::string> paths(static_cast<size_t>(config.layers));
  for (const TensorName& name : find_family(config.family).value()->tensors(config)) {
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      std::string& path = paths[static_cast<size_t>(layer)];
      if (!path.empty() || !name.parameters.front().starts_with(fmt::format("blocks.{}.", layer))) continue;
      const std::string number = fmt::format(".{}.", layer);
      const size_t at = name.file.find(number);
      if (at != name.file.npos) path = name.file.substr(0, at + number.size() - 1);
    }
  }
  return paths;
}

bool is_left_out(const PeftBottleneck& settings, int64_t layer) {
  return std::ranges::find(settings.leave_out, layer) != settings.leave_out.end();
}

int64_t width_of(const PeftBottleneck& settings, int64_t channels) {
  if (settings.width > 0) return settings.width;
  const auto whole = static_cast<double>(channels);
  return std::max<int64_t>(1,
                           std::llround((whole - std::fmod(whole, settings.reduction)) / settings.reduction));
}

// The reduction of which AdapterHub makes `width` again: it divides downwards, in floating point.
double reduction_of(int64_t channels, int64_t width) {
  const int64_t whole = channels / width;
  if (whole * width == channels) return static_cast<double>(whole);
  return static_cast<double>(channels) / (static_cast<double>(width) + 0.5);
}

// The tensors of a folder, by the names that nn::BottleneckAdapter gives them.
using Entries = std::map<std::string, const formats::TensorEntry*>;

Result<Entries> entries_of(const PeftFolder& folder, std::string_view prefix) {
  Entries entries;
  std::optional<std::string> adapter;
  for (const formats::TensorEntry& entry : folder.weights.entries()) {
    const std::string& file = entry.name;
    const size_t names = file.find(kNames), name = names + kNames.size();
    const size_t rest = names == file.npos ? names : file.find('.', name);
    if (rest == file.npos) {
      return make_error(ErrorCode::unsupported,
                        fmt::format("{}: tensor {} is no bottleneck", folder.path.string(), file));
    }
    const std::string own = file.substr(name, rest - name);
    if (adapter && *adapter != own) {
      return make_error(ErrorCode::unsupported,
                        fmt::format("{} holds two adapters, {} and {}", folder.path.string(), *adapter, own));
    }
    adapter = own;
    std::string path = file.substr(0, names) + file.substr(rest);
    // Of a model without its head, paths lack the prefix.
    if (!path.starts_with(prefix)) path.insert(0, prefix);
    entries[path] = &entry;
  }
  return entries;
}

// Takes the tensor `name` out of `entries`, in f32.
Result<Tensor> take(const PeftFolder& folder, Entries& entries, const std::string& name,
                    const Shape& wanted) {
  const auto found = entries.find(name);
  if (found == entries.end()) return folder.misfit(name + " is missing");
  const formats::TensorEntry& entry = *found->second;
  entries.erase(found);
  QUERN_TRY(const Tensor tensor, folder.weights.tensor(entry.name));
  if (tensor.shape() != wanted || !is_float(tensor.dtype()))
    return folder.misfit(fmt::format("{}: expected {}, got {}", name, wanted.to_string(), entry.describe()));
  return ops::cast(tensor, DType::f32).clone();
}

}  // namespace

Result<nn::BottleneckAdapter> make_bottleneck(const ModelConfig& config, const PeftConfig& settings,
                                              uint64_t seed) {
  QUERN_TRY(const nn::BottleneckSpec spec, spec_of(config, settings));
  nn::BottleneckAdapter adapter(spec);
  const std::vector<std::string> paths = layer_paths(config);
  const int64_t width = width_of(settings.bottleneck, config.hidden);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (const BranchPlace& place : kBranches) {
      if (!(settings.bottleneck.*place.wanted) || is_left_out(settings.bottleneck, layer)) continue;
      adapter.add(layer, place.branch, fmt::format("{}.{}", paths[static_cast<size_t>(layer)], place.module),
                  config.hidden, width);
    }
  }
  if (adapter.modules().empty())
    return make_error(ErrorCode::invalid_argument, "the adapter stands behind no branch of any layer");
  nn::initialise(adapter, seed);
  return adapter;
}

Result<nn::BottleneckAdapter> load_bottleneck(const ModelConfig& config, const PeftFolder& folder) {
  const Family& family = *find_family(config.family).value();
  QUERN_TRY(Entries entries, entries_of(folder, family.prefix));
  QUERN_TRY(const nn::BottleneckSpec spec, spec_of(config, folder.config));
  nn::BottleneckAdapter adapter(spec);
  const std::vector<std::string> paths = layer_paths(config);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (const BranchPlace& place : kBranches) {
      if (!(folder.config.bottleneck.*place.wanted) || is_left_out(folder.config.bottleneck, layer)) continue;
      const std::string path = fmt::format("{}.{}", paths[static_cast<size_t>(layer)], place.module);
      const auto down = entries.find(path + ".adapter_down.0.weight");
      if (down == entries.end()) return folder.misfit(path + ".adapter_down.0.weight is missing");
      const std::vector<int64_t>& shape = down->second->shape;
      const int64_t width = shape.empty() ? 0 : shape.front();
      if (width < 1 || width > int64_t{1} << 20)
        return folder.misfit(fmt::format("{} is {}", down->first, down->second->describe()));
      adapter.add(layer, place.branch, path, config.hidden, width);
    }
  }
  Result<void> status;
  adapter.visit([&](const std::string& name, nn::Parameter& parameter) {
    if (!status.ok()) return;
    Result<Tensor> value = take(folder, entries, name, parameter.shape());
    if (value.ok()) {
      parameter.assign(*std::move(value));
    } else {
      status = std::move(value).error();
    }
  });
  QUERN_CHECK(std::move(status));
  if (!entries.empty()) {
    return folder.misfit(
        fmt::format("it has {}, and the model has no such place", entries.begin()->second->name));
  }
  if (adapter.modules().empty()) return folder.misfit("it holds no tensors");
  adapter.freeze();
  return adapter;
}

Result<void> save_bottleneck(const nn::BottleneckAdapter& adapter, const ModelConfig& config,
                             PeftConfig settings, const std::filesystem::path& folder) {
  settings.method = formats::PeftMethod::bottleneck;
  const auto reduction = [&](const nn::Bottleneck& module) {
    return reduction_of(config.hidden, module.down.shape()[0]);
  };
  settings.bottleneck.reduction = reduction(adapter.modules().front());
  settings.bottleneck.layer_reductions.clear();
  for (const nn::Bottleneck& module : adapter.modules()) {
    if (reduction(module) != settings.bottleneck.reduction)
      settings.bottleneck.layer_reductions[module.layer] = reduction(module);
  }
  settings.bottleneck.channels = config.hidden;
  settings.bottleneck.family = config.family;
  settings.bottleneck.model_class = class_name(*find_family(config.family).value(), config);
  std::vector<formats::NamedTensor> tensors;
  nn::visit(adapter, [&](const std::string& name, const nn::Parameter& parameter) {
    const size_t end = name.find(".adapter_");
    tensors.push_back(
        {name.substr(0, end) + std::string(kNames) + settings.bottleneck.name + name.substr(end),
         parameter.master().detached()});
  });
  return formats::write_peft_folder(folder, settings, std::move(tensors));
}

}  // namespace quern::model
