#include "model/lora.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "model/family.h"
#include "model/four_bit.h"
#include "model/tensor_layout.h"
#include "model/token_rows.h"
#include "ops/cast.h"

namespace quern::model {

namespace {

using formats::NamedTensor;
using formats::PeftConfig;

constexpr std::string_view kA = ".lora_A.weight", kB = ".lora_B.weight",
                           kMagnitude = ".lora_magnitude_vector";

// A linear map of the published model that can have an adapter.
struct Site {
  std::string path;  // "model.layers.0.self_attn.q_proj"
  TensorName name;   // of its weight; never transposed, as adapters are not
  std::vector<const nn::Parameter*> weights;

  int64_t in() const { return weights.front()->shape()[1]; }
};

Result<std::vector<Site>> sites_of(const nn::Module& model, const ModelConfig& config) {
  std::map<std::string, const nn::Parameter*> parameters;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) { parameters[name] = &p; });
  QUERN_TRY(const Family* family, find_family(config.family));
  std::vector<Site> sites;
  for (TensorName& name : family->tensors(config)) {
    constexpr std::string_view kWeight = ".weight";
    if (name.stacked || !name.file.ends_with(kWeight)) continue;
    Site site;
    for (const std::string& parameter : name.parameters) {
      const auto found = parameters.find(parameter);
      if (found != parameters.end() && is_layer_matrix(parameter, found->second->shape()))
        site.weights.push_back(found->second);
    }
    if (site.weights.size() != name.parameters.size()) continue;
    site.path = name.file.substr(0, name.file.size() - kWeight.size());
    name.transposed = false;
    site.name = std::move(name);
    sites.push_back(std::move(site));
  }
  return sites;
}

// The last names of the paths, each once.
std::string kinds_of(const std::vector<Site>& sites) {
  std::set<std::string> kinds;
  for (const Site& site : sites) kinds.insert(site.path.substr(site.path.rfind('.') + 1));
  return fmt::format("{}", fmt::join(kinds, ", "));
}

bool is_all(const PeftConfig& settings) {
  return std::ranges::find(settings.targets, kAllLinear) != settings.targets.end();
}

Result<void> check_targets(const std::vector<Site>& sites, const PeftConfig& settings) {
  if (is_all(settings)) return {};
  for (const std::string& target : settings.targets) {
    const auto named = [&](const Site& site) { return formats::names_module(target, site.path); };
    if (std::ranges::any_of(sites, named)) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("no linear map of the model is named '{}'", target),
                      fmt::format("it has {}; or say {}", kinds_of(sites), kAllLinear));
  }
  if (!settings.targets.empty()) return {};
  return make_error(ErrorCode::invalid_argument, "an adapter needs targets",
                    fmt::format("the model has {}; or say {}", kinds_of(sites), kAllLinear));
}

nn::LoraSpec spec_of(const PeftConfig& settings, const std::string& path, int64_t rank) {
  return {.rank = rank,
          .scale = settings.scale_of(path, rank),
          .dropout = settings.dropout,
          .magnitudes = settings.magnitudes};
}

std::vector<Shape> part_shapes(const Site& site, std::optional<int64_t> columns) {
  std::vector<Shape> shapes;
  for (const nn::Parameter* weight : site.weights) {
    const int64_t out = weight->shape()[0];
    shapes.push_back(columns ? Shape{out, *columns} : Shape{out});
  }
  return shapes;
}

// The tensors of one module of a folder.
struct Files {
  const formats::TensorEntry *a = nullptr, *b = nullptr, *magnitude = nullptr;
};

// The tensors of `folder` by the paths of their modules.
Result<std::map<std::string, Files>> files_of(const formats::PeftFolder& folder) {
  std::map<std::string, Files> files;
  for (const formats::TensorEntry& entry : folder.weights.entries()) {
    std::string_view path = entry.name;
    if (path.starts_with(formats::kPeftPrefix)) path.remove_prefix(formats::kPeftPrefix.size());
    if (folder.config.scores() && path == kScoreName) continue;
    if (path.ends_with(nn::TokenRows::kPeftName)) continue;
    const auto take = [&](std::string_view suffix, const formats::TensorEntry* Files::*member) {
      if (!path.ends_with(suffix)) return false;
      files[std::string(path.substr(0, path.size() - suffix.size()))].*member = &entry;
      return true;
    };
    if (take(kA, &Files::a) || take(kB, &Files::b) || take(kMagnitude, &Files::magnitude)) continue;
    return make_error(
        ErrorCode::unsupported,
        fmt::format("{}: tensor {} is no LoRA of a linear map", folder.path.string(), entry.name),
        "merge the adapter into its base model with PEFT, and use that");
  }
  return files;
}

// The site that `path` means. An adapter of a model without its head lacks the prefix of the paths.
const Site* find_site(const std::vector<Site>& sites, const std::string& path, std::string_view prefix) {
  const auto found = std::ranges::find_if(sites, [&](const Site& site) {
    return site.path == path || (!prefix.empty() && site.path == std::string(prefix) + path);
  });
  return found == sites.end() ? nullptr : &*found;
}

Result<Tensor> read(const formats::PeftFolder& folder, const formats::TensorEntry* entry, const Shape& wanted,
                    const std::string& what) {
  if (entry == nullptr) return folder.misfit(fmt::format("{} is missing", what));
  QUERN_TRY(const Tensor tensor, folder.weights.tensor(entry->name));
  if (tensor.shape() != wanted || !is_float(tensor.dtype()))
    return folder.misfit(fmt::format("{}: expected {}, got {}", what, wanted.to_string(), entry->describe()));
  return ops::cast(tensor, DType::f32).clone();
}

// Gives the parts of `joined`, rows of all of a module's maps as files have them, to `assign`.
template <class Assign>
void give_parts(const Site& site, const Tensor& joined, const std::vector<Shape>& shapes,
                const ModelConfig& config, const Assign& assign) {
  const std::vector<Tensor> parts = split(site.name, joined, shapes);
  for (size_t i = 0; i < parts.size(); ++i)
    assign(i, relaid(parts[i], site.name.parameters[i], hf_layout(config), config).clone());
}

Result<void> load_module(nn::LoraAdapter& adapter, const ModelConfig& config,
                         const formats::PeftFolder& folder, const Site& site, const Files& files) {
  if (files.a == nullptr) return folder.misfit(site.path + std::string(kA) + " is missing");
  const int64_t rank = files.a->shape.empty() ? 0 : files.a->shape.front();
  if (rank < 1 || rank > int64_t{1} << 20)
    return folder.misfit(fmt::format("{} is {}", files.a->name, files.a->describe()));
  QUERN_TRY(const Tensor a, read(folder, files.a, {rank, site.in()}, site.path + std::string(kA)));
  const std::vector<Shape> matrices = part_shapes(site, rank), vectors = part_shapes(site, std::nullopt);
  QUERN_TRY(const Tensor b,
            read(folder, files.b, file_shape(site.name, matrices), site.path + std::string(kB)));
  nn::LoraSpec spec = spec_of(folder.config, site.path, rank);
  spec.magnitudes = files.magnitude != nullptr;
  adapter.add(site.path, site.weights, spec);
  nn::LoraModule& module = adapter.modules().back();
  module.a.assign(a);
  give_parts(site, b, matrices, config,
             [&](size_t i, Tensor part) { module.parts[i].b.assign(std::move(part)); });
  if (!spec.magnitudes) return {};
  QUERN_TRY(const Tensor magnitude, read(folder, files.magnitude, file_shape(site.name, vectors),
                                         site.path + std::string(kMagnitude)));
  give_parts(site, magnitude, vectors, config,
             [&](size_t i, Tensor part) { module.parts[i].magnitude->assign(std::move(part)); });
  return {};
}

Result<nn::LoraAdapter> load_modules(const nn::Module& model, const ModelConfig& config,
                                     const formats::PeftFolder& folder) {
  if (folder.config.method != formats::PeftMethod::lora) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: expected a LoRA, got {}", folder.path.string(),
                                  formats::name_of(folder.config.method)),
                      "virtual tokens and bottlenecks are for models that write, beside them: --adapter");
  }
  QUERN_TRY(const std::vector<Site> sites, sites_of(model, config));
  QUERN_TRY(const Family* family, find_family(config.family));
  QUERN_TRY(const auto files, files_of(folder));
  nn::LoraAdapter adapter;
  for (const auto& [path, tensors] : files) {
    const Site* site = find_site(sites, path, family->prefix);
    if (site == nullptr)
      return folder.misfit(
          fmt::format("it changes {}, and the model has no such linear map but {}", path, kinds_of(sites)));
    QUERN_CHECK(load_module(adapter, config, folder, *site, tensors));
  }
  QUERN_CHECK(load_token_rows(adapter, model, config, folder));
  if (adapter.modules().empty() && adapter.tables().empty()) return folder.misfit("it holds no tensors");
  adapter.freeze();
  return adapter;
}

std::vector<NamedTensor> tensors_of(const nn::LoraAdapter& adapter, const ModelConfig& config) {
  std::map<std::string, TensorName> names;
  for (TensorName& name : find_family(config.family).value()->tensors(config)) {
    const std::string path = name.file.substr(0, name.file.rfind('.'));
    name.transposed = false;
    if (name.file.ends_with(".weight")) names[path] = std::move(name);
  }
  std::vector<NamedTensor> tensors;
  for (const nn::LoraModule& module : adapter.modules()) {
    const std::string path = std::string(formats::kPeftPrefix) + module.name;
    const TensorName& name = names.at(module.name);
    std::vector<Tensor> b, magnitude;
    for (size_t i = 0; i < module.parts.size(); ++i) {
      const nn::LoraModule::Part& part = module.parts[i];
      const auto published = [&](const nn::Parameter& p) {
        return relaid(p.master().detached(), name.parameters[i], config, hf_layout(config));
      };
      b.push_back(published(part.b));
      if (part.magnitude) magnitude.push_back(published(*part.magnitude));
    }
    tensors.push_back({path + std::string(kA), module.a.master().detached()});
    tensors.push_back({path + std::string(kB), join(name, b)});
    if (!magnitude.empty()) tensors.push_back({path + std::string(kMagnitude), join(name, magnitude)});
  }
  std::ranges::move(token_row_tensors(adapter), std::back_inserter(tensors));
  return tensors;
}

// `settings` as PEFT reads them: a list that says all-linear is none for it, and rows of tokens are those of tables.
PeftConfig published(PeftConfig settings, const nn::LoraAdapter& adapter) {
  settings.token_rows = token_row_ids(adapter);
  if (!is_all(settings)) return settings;
  std::set<std::string> ends;
  for (const nn::LoraModule& module : adapter.modules())
    ends.insert(module.name.substr(module.name.rfind('.') + 1));
  settings.targets.assign(ends.begin(), ends.end());
  return settings;
}

constexpr std::string_view kScoreFile = "base_model.model.score.weight";  // kPeftPrefix and kScoreName

}  // namespace

Result<nn::LoraAdapter> make_lora(const nn::Module& model, const ModelConfig& config,
                                  const PeftConfig& settings, uint64_t seed) {
  QUERN_TRY(const std::vector<Site> sites, sites_of(model, config));
  QUERN_CHECK(check_targets(sites, settings));
  nn::LoraAdapter adapter;
  for (const Site& site : sites) {
    const auto names = [&](const std::string& target) { return formats::names_module(target, site.path); };
    if (is_all(settings) || std::ranges::any_of(settings.targets, names))
      adapter.add(site.path, site.weights, spec_of(settings, site.path, settings.rank_of(site.path)));
  }
  nn::initialise(adapter, seed);
  for (nn::LoraModule& module : adapter.modules()) {
    for (nn::LoraModule::Part& part : module.parts) {
      if (part.magnitude) part.magnitude->assign(nn::row_lengths(module, part));
    }
  }
  QUERN_CHECK(make_token_rows(adapter, model, config, settings));
  return adapter;
}

Result<nn::LoraAdapter> load_lora(const nn::Module& model, const ModelConfig& config,
                                  const formats::PeftFolder& folder) {
  if (folder.config.scores()) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("{} is the adapter of a reward model, which writes nothing", folder.path.string()),
        "'quern predict' is for reward models");
  }
  return load_modules(model, config, folder);
}

Result<nn::LoraAdapter> load_lora(RewardModel& model, const formats::PeftFolder& folder) {
  if (!folder.config.scores()) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("{}: expected the adapter of a reward model (task_type {}), got one of task {}",
                    folder.path.string(), formats::kScoringTask, folder.config.task),
        "'quern generate --adapter' is for adapters of models that write");
  }
  QUERN_TRY(nn::LoraAdapter adapter, load_modules(model.decoder(), model.config(), folder));
  QUERN_TRY(Tensor score,
            read(folder, folder.weights.find(kScoreFile), model.score().shape(), std::string(kScoreName)));
  model.score().assign(std::move(score));
  return adapter;
}

Result<void> save_lora(const nn::LoraAdapter& adapter, const ModelConfig& config, const PeftConfig& settings,
                       const std::filesystem::path& folder) {
  return formats::write_peft_folder(folder, published(settings, adapter), tensors_of(adapter, config));
}

Result<void> save_lora(const nn::LoraAdapter& adapter, const RewardModel& model, PeftConfig settings,
                       const std::filesystem::path& folder) {
  settings.task = formats::kScoringTask;
  std::vector<NamedTensor> tensors = tensors_of(adapter, model.config());
  tensors.push_back({std::string(kScoreFile), model.score().master().detached()});
  return formats::write_peft_folder(folder, published(settings, adapter), std::move(tensors));
}

void merge_lora(nn::Module& model, const nn::LoraAdapter& adapter, std::optional<DType> dtype) {
  model.visit([&](const std::string&, nn::Parameter& parameter) {
    const auto table = std::ranges::find(adapter.tables(), &parameter, &nn::TokenTable::weight);
    const bool has_rows = table != adapter.tables().end();
    if (!has_rows && !adapter.changes(parameter)) return;
    const DType before = ops::plain_dtype(parameter.master());
    const Tensor merged = has_rows ? table->rows.merged(parameter.master()) : adapter.merged(parameter);
    parameter.assign(ops::cast(merged, dtype.value_or(before)));
  });
}

}  // namespace quern::model
