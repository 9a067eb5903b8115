#include "model/token_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "autograd/graph.h"
#include "model/family.h"
#include "ops/cast.h"
#include "ops/embedding.h"

namespace quern::model {

namespace {

using formats::PeftFolder;

constexpr std::string_view kWeight = ".weight";

// The tables that tokens have rows in, the embeddings first; of no rows yet.
Result<std::vector<nn::TokenTable>> tables_of(const nn::Module& model, const ModelConfig& config) {
  std::map<std::string, const nn::Parameter*> parameters;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) { parameters[name] = &p; });
  QUERN_TRY(const Family* family, find_family(config.family));
  const bool tied = config.tied_embeddings && !config.scores();
  std::vector<nn::TokenTable> tables;
  for (const auto& [parameter, embeds] : {std::pair{"embedding.weight", true}, {"head.weight", false}}) {
    for (const TensorName& name : family->tensors(config)) {
      const auto found = parameters.find(parameter);
      if (name.parameters != std::vector<std::string>{parameter} || found == parameters.end()) continue;
      tables.push_back({.name = name.file.substr(0, name.file.size() - kWeight.size()),
                        .weight = found->second,
                        .embeds = embeds,
                        .makes_logits = !embeds || tied,
                        .rows = nn::TokenRows({}, found->second->shape()[1])});
      break;
    }
  }
  return tables;
}

Result<void> check_ids(const std::vector<int32_t>& ids, int64_t vocab) {
  const std::set<int32_t> once(ids.begin(), ids.end());
  if (!ids.empty() && once.size() == ids.size() && *once.begin() >= 0 && *once.rbegin() < vocab) return {};
  return make_error(
      ErrorCode::invalid_argument,
      fmt::format("expected tokens from 0 to {}, each once, got {}", vocab - 1, fmt::join(ids, ", ")));
}

std::string tensor_name(const nn::TokenTable& table) {
  return std::string(formats::kPeftPrefix) + table.name + std::string(nn::TokenRows::kPeftName);
}

// The table that a key of the config means: the end of its path, or nothing for the embeddings.
nn::TokenTable* named(std::vector<nn::TokenTable>& tables, const std::string& key) {
  const auto found = std::ranges::find_if(tables, [&](const nn::TokenTable& table) {
    return key.empty() ? table.embeds : formats::names_module(key, table.name);
  });
  return found == tables.end() ? nullptr : &*found;
}

}  // namespace

Result<void> make_token_rows(nn::LoraAdapter& adapter, const nn::Module& model, const ModelConfig& config,
                             const formats::PeftConfig& settings) {
  const auto wanted = settings.token_rows.find("");
  if (wanted == settings.token_rows.end()) return {};
  const std::vector<int32_t>& ids = wanted->second;
  QUERN_CHECK(check_ids(ids, config.vocab_size));
  QUERN_TRY(std::vector<nn::TokenTable> tables, tables_of(model, config));
  const autograd::NoGrad no_grad;
  for (nn::TokenTable& table : tables) {
    table.rows = nn::TokenRows(ids, table.weight->shape()[1]);
    const Tensor which = Tensor::from(ids, {static_cast<int64_t>(ids.size())});
    table.rows.rows().assign(ops::embedding(which, table.weight->master(), DType::f32));
    nn::set_trainable(table.rows, true);
    adapter.add(std::move(table));
  }
  return {};
}

Result<void> load_token_rows(nn::LoraAdapter& adapter, const nn::Module& model, const ModelConfig& config,
                             const PeftFolder& folder) {
  const auto held = std::ranges::count_if(folder.weights.entries(), [](const formats::TensorEntry& entry) {
    return entry.name.ends_with(nn::TokenRows::kPeftName);
  });
  if (static_cast<size_t>(held) != folder.config.token_rows.size())
    return folder.misfit(fmt::format("it holds rows of tokens for {} tables, and its settings name {}", held,
                                     folder.config.token_rows.size()));
  if (held == 0) return {};
  QUERN_TRY(std::vector<nn::TokenTable> tables, tables_of(model, config));
  for (const auto& [key, ids] : folder.config.token_rows) {
    nn::TokenTable* table = named(tables, key);
    if (table == nullptr) return folder.misfit(fmt::format("it has rows of tokens in {}", key));
    if (const Result<void> fit = check_ids(ids, table->weight->shape()[0]); !fit.ok())
      return folder.misfit("rows of tokens: " + fit.error().message);
    const formats::TensorEntry* entry = folder.weights.find(tensor_name(*table));
    if (entry == nullptr) return folder.misfit(fmt::format("{} is missing", tensor_name(*table)));
    nn::TokenRows rows(ids, table->weight->shape()[1]);
    QUERN_TRY(const Tensor tensor, folder.weights.tensor(entry->name));
    if (tensor.shape() != rows.rows().shape() || !is_float(tensor.dtype()))
      return folder.misfit(fmt::format("{}: expected {}, got {}", entry->name,
                                       rows.rows().shape().to_string(), entry->describe()));
    rows.rows().assign(ops::cast(tensor, DType::f32).clone());
    table->rows = std::move(rows);
    adapter.add(std::move(*table));
  }
  return {};
}

std::vector<formats::NamedTensor> token_row_tensors(const nn::LoraAdapter& adapter) {
  std::vector<formats::NamedTensor> tensors;
  for (const nn::TokenTable& table : adapter.tables())
    tensors.push_back({tensor_name(table), table.rows.rows().master().detached()});
  return tensors;
}

std::map<std::string, std::vector<int32_t>> token_row_ids(const nn::LoraAdapter& adapter) {
  const std::vector<nn::TokenTable>& tables = adapter.tables();
  if (tables.size() == 1 && tables.front().embeds) return {{"", tables.front().rows.ids()}};
  std::map<std::string, std::vector<int32_t>> ids;
  for (const nn::TokenTable& table : tables)
    ids[table.name.substr(table.name.rfind('.') + 1)] = table.rows.ids();
  return ids;
}

}  // namespace quern::model
