// quern inspect
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/gguf_report.h"
#include "cli/language_report.h"
#include "formats/checkpoint.h"
#include "formats/gguf/archive.h"
#include "formats/hf_folder.h"
#include "infer/sentence_form.h"
#include "model/cache.h"
#include "model/load.h"
#include "store/store.h"

namespace quern::cli {

namespace {

struct Arguments {
  std::string model;
  bool tensors = false;
};

struct Inspection {
  std::filesystem::path folder;
  model::ModelConfig config;
  std::optional<formats::Checkpoint> weights;
  std::optional<LanguageReport> language;
  int64_t parameters = 0;
  std::map<std::string, uint64_t> bytes_by_dtype;
};

Result<Inspection> look(const std::filesystem::path& path) {
  QUERN_TRY(const formats::ModelFolder folder, formats::ModelFolder::open(path));
  Inspection result;
  result.folder = folder.path();
  QUERN_TRY(result.config, model::load_config(folder.path()));
  result.config = result.config.resolved();
  QUERN_TRY(result.weights, formats::Checkpoint::open(folder));
  for (const formats::TensorEntry& entry : result.weights->entries()) {
    result.bytes_by_dtype[std::string(entry.dtype_name)] += entry.bytes();
    int64_t elements = 1;
    for (const int64_t extent : entry.shape) elements *= extent;
    result.parameters += elements;
  }
  result.language.emplace(folder.path());
  return result;
}

// Of one sequence with room for `tokens` tokens, as generation keeps it.
uint64_t cache_bytes(const model::ModelConfig& c, int64_t tokens, DType dtype) {
  return static_cast<uint64_t>(
      model::cache_spec(c, {.capacity = tokens, .chunk = model::kPromptChunk}, dtype).bytes());
}

constexpr DType kCacheDtypes[] = {DType::f32, DType::f16, DType::q8_0};

// "46 MiB for 1024 tokens, 184 MiB for 4096 tokens": up to the whole context.
std::string cache_text(const model::ModelConfig& c, DType dtype) {
  std::string text;
  for (int64_t tokens = 1024;; tokens *= 4) {
    const int64_t length = std::min(tokens, c.max_positions);
    text += fmt::format("{}{} for {} tokens", text.empty() ? "" : ", ",
                        human_bytes(cache_bytes(c, length, dtype)), length);
    if (length == c.max_positions) return text;
  }
}

// ", window 4096 in 13 of 26 blocks", or nothing where every block sees all keys.
std::string window_text(const model::ModelConfig& c) {
  if (c.window == 0) return "";
  const auto full = static_cast<int64_t>(c.full_layers.size());
  return fmt::format(", window {}", c.window) +
         (full > 0 ? fmt::format(" in {} of {} blocks", c.layers - full, c.layers) : "");
}

// Shapes of the model.
void add_structure(TextTable& table, const model::ModelConfig& c) {
  table.add({"blocks", fmt::format("{} of width {}", c.layers, c.hidden)});
  table.add({"attention", fmt::format("{} heads of {}, {} for keys and values{}", c.heads, c.head_dim,
                                      c.kv_heads, window_text(c))});
  table.add({"MLP", fmt::format("{}{}", c.intermediate, c.gated_mlp ? ", gated" : "")});
  if (c.kind == model::Kind::encoder_decoder) {
    table.add({"encoder", fmt::format("{} blocks, {} heads, MLP {}", c.encoder_layers, c.encoder_heads,
                                      c.encoder_intermediate)});
  }
  if (c.experts > 0) {
    table.add({"experts",
               fmt::format("{} of {} for a token, {} wide{}", c.experts_per_token, c.experts,
                           c.expert_intermediate, c.shared_intermediate > 0 ? ", and one for all" : "")});
  }
  table.add({"context", fmt::format("{} tokens", c.max_positions)});
  table.add({"vocabulary", fmt::format("{}{}", c.vocab_size,
                                       c.tied_embeddings && !c.scores() ? ", tied to the output" : "")});
}

// "NEGATIVE, POSITIVE", or the first of many.
std::string labels_text(const std::vector<std::string>& labels) {
  constexpr size_t kShown = 12;
  const auto first = std::span(labels).first(std::min(labels.size(), kShown));
  return fmt::format("{}: {}{}", labels.size(), fmt::join(first, ", "),
                     labels.size() > kShown ? ", ..." : "");
}

// What an encoder makes of its states, and how texts become vectors.
void add_head(TextTable& table, model::ModelConfig c, const std::filesystem::path& folder) {
  if (c.embedding_size != c.hidden) table.add({"embeddings", fmt::format("{} wide", c.embedding_size)});
  table.add({"head", fields_of(c).find("head")->value().get<std::string>()});
  if (!c.labels.empty()) table.add({"labels", labels_text(c.labels)});
  if (c.head == model::Head::sequence_classification)
    table.add({"outputs", fields_of(c).find("problem")->value().get<std::string>()});
  const auto form = infer::read_sentence_form(folder);
  if (form.ok() && *form && (*form)->longest > 0)
    table.add({"sentences", fmt::format("embedded from up to {} tokens", (*form)->longest)});
}

// The memory of a conversation, for each dtype it may be kept in.
void add_cache(TextTable& table, const model::ModelConfig& c) {
  for (const DType dtype : kCacheDtypes) {
    if (model::check_cache_dtype(c, dtype).ok())
      table.add({fmt::format("cache in {}", name_of(dtype)), cache_text(c, dtype)});
  }
}

std::string to_text(const Inspection& found, bool tensors) {
  TextTable table({"", ""});
  table.add({"family", found.config.family});
  table.add({"parameters",
             fmt::format("{} ({})", human_count(static_cast<double>(found.parameters)), found.parameters)});
  add_structure(table, found.config);
  if (const auto& quantization = found.weights->quantization())
    table.add({"quantised by", quantization->summary + "; below as it is held in memory"});
  for (const auto& [dtype, bytes] : found.bytes_by_dtype)
    table.add({"weights in " + dtype, human_bytes(bytes)});
  if (found.config.kind == model::Kind::encoder)
    add_head(table, found.config, found.folder);
  else if (found.config.scores())
    table.add({"head", "a reward: one number for a whole text"});
  else
    add_cache(table, found.config);
  for (const auto& [name, value] : found.language->rows()) table.add({name, value});
  std::string text = table.to_string(0) + found.language->findings();
  if (tensors) {
    TextTable list({"tensor", "type", "bytes"});
    for (const formats::TensorEntry& entry : found.weights->entries()) {
      list.add({entry.name, entry.describe(), human_bytes(entry.bytes())});
    }
    text += "\n" + list.to_string(0);
  }
  return text;
}

nlohmann::ordered_json cache_to_json(const model::ModelConfig& c) {
  return {{"f32", cache_bytes(c, c.max_positions, DType::f32)},
          {"f16", cache_bytes(c, c.max_positions, DType::f16)}};
}

nlohmann::ordered_json to_json(const Inspection& found) {
  model::ModelConfig config = found.config;
  nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
  for (const formats::TensorEntry& entry : found.weights->entries()) {
    tensors.push_back({{"name", entry.name},
                       {"dtype", entry.dtype_name},
                       {"shape", entry.shape},
                       {"bytes", entry.bytes()}});
  }
  const auto& quantization = found.weights->quantization();
  nlohmann::ordered_json json{{"parameters", found.parameters}, {"config", fields_of(config).to_json()}};
  if (config.kind == model::Kind::decoder && !config.scores())
    json["cache_bytes_of_full_context"] = cache_to_json(config);
  json["tokenizer"] = found.language->to_json();
  json["quantised_by"] = quantization ? nlohmann::ordered_json(quantization->summary) : nullptr;
  json["tensors"] = std::move(tensors);
  return json;
}

// As one document; a file may hold text that is not UTF-8.
std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<void> inspect_gguf(const std::filesystem::path& path, bool tensors, Context& context) {
  QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
  const LanguageReport language(path);
  // A file of another architecture, or of no model, still shows what is in it.
  const Result<model::ModelConfig> config = model::load_config(path);
  if (context.json) {
    nlohmann::ordered_json json = gguf_to_json(archive);
    if (config.ok() && config->kind == model::Kind::decoder)
      json["cache_bytes_of_full_context"] = cache_to_json(config->resolved());
    json["tokenizer"] = language.to_json();
    context.print(dump(json));
    return {};
  }
  TextTable table({"", ""});
  table.add({"family", config.ok() ? config->family : "none that runs: " + config.error().message});
  if (config.ok()) {
    add_structure(table, config->resolved());
    if (config->kind == model::Kind::encoder)
      add_head(table, config->resolved(), path);
    else
      add_cache(table, config->resolved());
  }
  for (const auto& [name, value] : language.rows()) table.add({name, value});
  context.print(gguf_to_text(archive, tensors) + "\n" + table.to_string(0) + language.findings());
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.app()
      .add_option("MODEL", arguments->model, "model folder, GGUF file, or a name in the store")
      ->required();
  line.app().add_flag("--tensors", arguments->tensors, "list every tensor");
  return [arguments](Context& context) -> Result<void> {
    QUERN_TRY(const std::filesystem::path path, store::Store().resolve(arguments->model));
    if (formats::is_gguf(path)) return inspect_gguf(path, arguments->tensors, context);
    QUERN_TRY(const Inspection found, look(path));
    context.print(context.json ? dump(to_json(found)) : to_text(found, arguments->tensors));
    return {};
  };
}

}  // namespace

Command inspect_command() {
  return {.name = "inspect",
          .group = Group::inspect,
          .summary = "what a model is: sizes, weights, tokenizer, memory",
          .details = {},
          .examples = "quern inspect runs/demo/model --tensors",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
