#include "model/gguf_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "model/families/gguf_names.h"
#include "model/gguf_keys.h"
#include "model/gguf_rope.h"
#include "ops/cast.h"

namespace quern::model {

namespace {

using formats::GgufMetadata;

constexpr int64_t kMaxSize = int64_t{1} << 24;  // see ModelConfig::validate

// What a config is read from: a file, or one that is about to be written.
struct Source {
  const GgufMetadata& metadata;
  std::function<std::optional<Shape>(std::string_view name)> shape;
  std::function<Result<Tensor>(std::string_view name)> tensor;
};

// 0 is what some converters write for models without it.
bool has_marker(const GgufMetadata& metadata, const std::string& key) {
  if (metadata.find(key) == nullptr) return false;
  const Result<int64_t> number = metadata.get<int64_t>(key);
  return !number.ok() || *number != 0;
}

bool has_signs(const GgufForm& form) {
  return !form.marker.empty() || !form.tokenizer.empty() || !form.without.empty();
}

// Whether `source` has what tells the files of a family from others of its architecture.
bool fits(const GgufForm& form, const Source& source) {
  const GgufMetadata& metadata = source.metadata;
  if (!form.marker.empty() && !has_marker(metadata, fmt::format("{}.{}", form.architecture, form.marker)))
    return false;
  const Result<std::string> tokenizer = metadata.get_or<std::string>("tokenizer.ggml.model", "");
  if (!form.tokenizer.empty() && (!tokenizer.ok() || *tokenizer != form.tokenizer)) return false;
  return form.without.empty() || !source.shape(form.without);
}

// The family of `architecture` whose signs are there, else the one without signs.
Result<const Family*> find_gguf_family(const Source& source, const std::string& architecture) {
  const Family* found = nullptr;
  std::vector<std::string_view> known;
  for (const Family* family : families()) {
    const GgufForm& form = family->gguf;
    if (form.architecture.empty()) continue;
    if (std::ranges::find(known, form.architecture) == known.end()) known.push_back(form.architecture);
    if (form.architecture != architecture || !fits(form, source)) continue;
    if (found == nullptr || has_signs(form)) found = family;
    if (has_signs(form)) break;
  }
  if (found) return found;
  return make_error(ErrorCode::unsupported,
                    fmt::format("gguf: the architecture '{}' is not known", architecture),
                    fmt::format("Quern knows: {}", fmt::join(known, ", ")));
}

// Of a family with experts; others have none.
void read_experts(GgufKeys& keys, ModelConfig& c) {
  if (c.experts == 0) {
    keys.count("expert_count", 0, 0, 0);
    return;
  }
  c.experts = keys.count("expert_count", 1, kMaxExperts);
  c.experts_per_token = keys.count("expert_used_count", 1, c.experts);
  const bool own_width = c.expert_intermediate > 0;
  c.expert_intermediate = keys.count("expert_feed_forward_length", 1, kMaxSize,
                                     own_width ? c.intermediate / c.experts_per_token : c.intermediate);
  if (c.shared_intermediate > 0)
    c.shared_intermediate = keys.count("expert_shared_feed_forward_length", 1, kMaxSize, c.intermediate);
}

void read_sizes(GgufKeys& keys, const Source& source, ModelConfig& c) {
  c.layers = keys.count("block_count", 1, kMaxGgufLayers);
  c.max_positions = keys.count("context_length", 1, kMaxSize);
  c.hidden = keys.count("embedding_length", 1, kMaxSize);
  c.heads = keys.count("attention.head_count", 1, c.hidden, {}, c.layers);
  c.kv_heads = keys.count("attention.head_count_kv", 1, c.heads, c.heads, c.layers);
  c.head_dim = keys.count("attention.key_length", 1, kMaxSize, c.hidden / c.heads);
  keys.count("attention.value_length", c.head_dim, c.head_dim, c.head_dim);  // as wide as keys
  c.intermediate = keys.count("feed_forward_length", 1, kMaxSize, {}, c.layers);
  read_experts(keys, c);
  c.norm_eps = keys.number(norm_eps_key(c), {});
  if (const auto embedding = source.shape("token_embd.weight"); embedding && embedding->rank() == 2) {
    c.vocab_size = (*embedding)[0];
  } else {
    keys.fail(make_error(ErrorCode::corrupt, "gguf: there is no matrix token_embd.weight"));
  }
  keys.count("vocab_size", c.vocab_size, c.vocab_size, c.vocab_size);  // as many as rows
}

void read_attention(GgufKeys& keys, ModelConfig& c) {
  if (c.layout == nn::BlockLayout::parallel_norms && !keys.flag("use_parallel_residual", true))
    c.layout = nn::BlockLayout::pre_norm;
  c.window = keys.count("attention.sliding_window", 0, INT64_MAX, c.window);
  if (keys.has("attention.sliding_window_pattern")) {
    const std::vector<bool> windowed = keys.pattern("attention.sliding_window_pattern", c.layers);
    c.full_layers.clear();
    for (int64_t layer = 0; layer < c.layers; ++layer) {
      if (!windowed[static_cast<size_t>(layer)]) c.full_layers.push_back(layer);
    }
  }
  c.attention_softcap = keys.number("attn_logit_softcapping", c.attention_softcap, true);
  c.logit_softcap = keys.number("final_logit_softcapping", c.logit_softcap, true);
  if (c.positions == Positions::alibi) {
    c.alibi_max_bias = keys.number("attention.max_alibi_bias", c.alibi_max_bias);
    c.qkv_clip = keys.number("attention.clamp_kqv", 0.0, true);
  }
}

// An encoder-decoder, of which the sizes are those of both halves; what its tensors tell, too.
void read_encoder_decoder(GgufKeys& keys, const Source& source, ModelConfig& c) {
  c.encoder_layers = c.layers;
  c.layers = keys.count("decoder_block_count", 1, kMaxGgufLayers, c.encoder_layers);
  c.relative_buckets = keys.count("attention.relative_buckets_count", 4, kMaxSize);
  c.start_token = keys.count("decoder_start_token_id", 0, c.vocab_size - 1, 0);
  c.gated_mlp = source.shape("enc.blk.0.ffn_gate.weight").has_value();
  c.tied_embeddings = !source.shape("output.weight");
}

void read_encoder(GgufKeys& keys, const Source& source, ModelConfig& c) {
  if (keys.flag("attention.causal", false)) keys.wrong("attention.causal", "false");
  const std::optional<Shape> types = source.shape("token_types.weight");
  c.token_types = !types ? 0 : types->rank() == 2 ? (*types)[0] : 1;
}

// Whether the file has a tensor for a parameter that not all models of the family have. The first block tells: how many there
// are is the file's word so far.
void read_optional_tensors(const Source& source, const GgufForm& form, ModelConfig& c) {
  if (c.layout == nn::BlockLayout::parallel && source.shape("blk.0.attn_norm_2.weight"))
    c.layout = nn::BlockLayout::parallel_norms;
  ModelConfig all = c;
  all.layers = 1;
  for (std::vector<int64_t>* layers : {&all.dense_layers, &all.full_layers, &all.nope_layers})
    std::erase_if(*layers, [](int64_t layer) { return layer > 0; });
  all.qkv_bias = all.output_bias = all.mlp_bias = all.head_bias = true;
  all.tied_embeddings = false;
  const auto holds = [&](const std::string& file) { return source.shape(file).has_value(); };
  std::map<std::string, bool> present;
  for (const TensorName& name : names_in_file(form.tensors(all), holds)) {
    for (const std::string& parameter : name.parameters) present[parameter] = holds(name.file);
  }
  const auto has = [&](const std::string& parameter) {
    const auto at = present.find(parameter);
    return at != present.end() && at->second;
  };
  c.qkv_bias = has("blocks.0.attention.q.bias");
  c.output_bias = has("blocks.0.attention.o.bias");
  c.mlp_bias = has("blocks.0.mlp.down.bias");
  c.head_bias = has("head.bias");
  c.tied_embeddings = !has("head.weight");
}

Result<void> read_tokens(const GgufMetadata& metadata, ModelConfig& c) {
  const auto id = [&](const char* key) { return metadata.get_or<int64_t>(key, -1); };
  QUERN_TRY(c.bos_token, id("tokenizer.ggml.bos_token_id"));
  QUERN_TRY(c.pad_token, id("tokenizer.ggml.padding_token_id"));
  for (const char* key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    QUERN_TRY(const int64_t token, id(key));
    if (token >= 0 && std::ranges::find(c.eos_tokens, token) == c.eos_tokens.end())
      c.eos_tokens.push_back(token);
  }
  return {};
}

Result<ModelConfig> read(const Source& source) {
  QUERN_TRY(const std::string architecture, source.metadata.get<std::string>("general.architecture"));
  QUERN_TRY(const Family* family, find_gguf_family(source, architecture));
  ModelConfig c = family->defaults();
  GgufKeys keys(source.metadata, architecture);
  read_sizes(keys, source, c);
  const bool answers = c.kind == Kind::encoder_decoder;
  if (answers) read_encoder_decoder(keys, source, c);
  if (family->gguf.imply) family->gguf.imply(c);
  read_attention(keys, c);
  if (c.kind == Kind::encoder) read_encoder(keys, source, c);
  if (c.positions == Positions::rope) read_gguf_rope(keys, source.tensor, c);
  QUERN_CHECK(keys.finish());
  QUERN_CHECK(c.validate());
  if (!answers) read_optional_tensors(source, family->gguf, c);
  QUERN_CHECK(read_tokens(source.metadata, c));
  return c.resolved();
}

}  // namespace

Result<ModelConfig> read_gguf_config(const formats::GgufArchive& archive) {
  const auto shape = [&](std::string_view name) -> std::optional<Shape> {
    const formats::GgufTensor* tensor = archive.find(name);
    return tensor ? std::optional(Shape(tensor->shape)) : std::nullopt;
  };
  Result<ModelConfig> config =
      read({archive.metadata(), shape, [&](std::string_view name) { return archive.tensor(name); }});
  if (!config.ok()) return std::move(config).error().within(archive.path().string());
  const formats::GgufTensor* matrix = archive.find("blk.0.attn_output.weight");
  if (matrix == nullptr) matrix = archive.find("enc.blk.0.attn_o.weight");
  const std::optional<DType> dtype = matrix ? matrix->type->dtype : std::nullopt;
  config->dtype = dtype && is_float(*dtype) ? *dtype : DType::f16;
  return config;
}

namespace {

// Adds keys of one architecture, integers as u32.
class KeyWriter {
 public:
  KeyWriter(GgufMetadata& metadata, std::string_view architecture)
      : metadata_(metadata), prefix_(std::string(architecture) + ".") {}
  void count(std::string_view key, int64_t value) { put(key, static_cast<uint32_t>(value)); }
  void put(std::string_view key, formats::GgufValue value) {
    metadata_.set(prefix_ + std::string(key), std::move(value));
  }

 private:
  GgufMetadata& metadata_;
  std::string prefix_;
};

void write_window(KeyWriter& keys, const ModelConfig& c) {
  keys.count("attention.sliding_window", c.window);
  if (c.full_layers.empty()) return;
  std::vector<bool> windowed;
  for (int64_t layer = 0; layer < c.layers; ++layer) windowed.push_back(c.window_of(layer) > 0);
  keys.put("attention.sliding_window_pattern", formats::GgufArray(std::move(windowed)));
}

}  // namespace

namespace {
// Settings that are told otherwise or not at all: tokens by the tokenizer's metadata, frequencies by a tensor.
std::vector<std::string_view> not_compared(const ModelConfig& c) {
  std::vector<std::string_view> keys{"family", "init_std", "bos_token", "eos_tokens", "pad_token", "dtype"};
  if (c.rope.scaling == ops::RopeScaling::llama3 || c.rope.scaling == ops::RopeScaling::longrope) {
    keys.insert(keys.end(), {"rope.scaling", "rope.factor", "rope.original_positions", "rope.low_freq_factor",
                             "rope.high_freq_factor"});
  }
  return keys;
}
}  // namespace

Result<void> check_gguf_family(const ModelConfig& config) {
  QUERN_TRY(const Family* family, find_family(config.family));
  if (!family->gguf.architecture.empty()) return {};
  return make_error(ErrorCode::unsupported,
                    fmt::format("GGUF has no architecture for models of family '{}'", family->name),
                    "'quern convert --to hf' writes them as a folder");
}

bool gguf_keeps_wide(std::string_view tensor) {
  return tensor.starts_with("position_embd.") || tensor.starts_with("token_types.") ||
         tensor.find(".ffn_gate_inp") != tensor.npos || tensor.find(".attn_rel_b.") != tensor.npos;
}

Result<formats::GgufContents> write_gguf_config(const ModelConfig& config) {
  QUERN_CHECK(config.validate());
  QUERN_CHECK(check_gguf_family(config));
  QUERN_TRY(const Family* family, find_family(config.family));
  const ModelConfig c = gguf_layout(config.resolved());
  formats::GgufContents file;
  file.metadata.set("general.architecture", std::string(family->gguf.architecture));
  file.metadata.set("general.type", std::string("model"));
  KeyWriter keys(file.metadata, family->gguf.architecture);
  const bool answers = c.kind == Kind::encoder_decoder;
  keys.count("block_count", answers ? c.encoder_layers : c.layers);
  keys.count("context_length", c.max_positions);
  keys.count("embedding_length", c.hidden);
  keys.count("feed_forward_length", c.intermediate);
  keys.count("attention.head_count", c.heads);
  keys.count("attention.head_count_kv", c.kv_heads);
  keys.count("attention.key_length", c.head_dim);
  keys.count("attention.value_length", c.head_dim);
  keys.count("vocab_size", c.vocab_size);
  keys.put(norm_eps_key(c), static_cast<float>(c.norm_eps));
  if (c.experts > 0) {
    keys.count("expert_count", c.experts);
    keys.count("expert_used_count", c.experts_per_token);
    keys.count("expert_feed_forward_length", c.expert_intermediate);
    if (c.shared_intermediate > 0) keys.count("expert_shared_feed_forward_length", c.shared_intermediate);
  }
  if (family->defaults().layout == nn::BlockLayout::parallel_norms)
    keys.put("use_parallel_residual", c.layout == nn::BlockLayout::parallel_norms);
  if (c.window > 0) write_window(keys, c);
  if (c.attention_softcap > 0.0) keys.put("attn_logit_softcapping", static_cast<float>(c.attention_softcap));
  if (c.logit_softcap > 0.0) keys.put("final_logit_softcapping", static_cast<float>(c.logit_softcap));
  if (c.positions == Positions::alibi)
    keys.put("attention.max_alibi_bias", static_cast<float>(c.alibi_max_bias));
  if (c.qkv_clip > 0.0) keys.put("attention.clamp_kqv", static_cast<float>(c.qkv_clip));
  if (c.positions == Positions::rope) QUERN_CHECK(write_gguf_rope(c, *family, file));

  if (c.kind == Kind::encoder) {
    keys.put("attention.causal", false);
    // llama.cpp asks for one at least, also where there is no table of them.
    file.metadata.set("tokenizer.ggml.token_type_count",
                      static_cast<uint32_t>(std::max<int64_t>(c.token_types, 1)));
  }
  if (answers) {
    keys.count("decoder_block_count", c.layers);
    keys.count("attention.relative_buckets_count", c.relative_buckets);
    keys.count("decoder_start_token_id", c.start_token);
  }

  // What the file would be read as must be the config again.
  std::map<std::string, Shape, std::less<>> shapes{{"token_embd.weight", Shape{c.vocab_size, c.hidden}}};
  if (c.token_types > 0) shapes.emplace("token_types.weight", Shape{c.token_types, c.hidden});
  for (const TensorName& name : family->gguf.tensors(c)) shapes.emplace(name.file, Shape{});
  const auto shape = [&](std::string_view name) -> std::optional<Shape> {
    const auto at = shapes.find(name);
    return at == shapes.end() ? std::nullopt : std::optional(at->second);
  };
  const auto tensor = [&](std::string_view name) -> Result<Tensor> {
    if (const formats::GgufEntry* entry = file.find(name)) return entry->tensor();
    return make_error(ErrorCode::not_found, std::string(name));
  };
  QUERN_TRY(const ModelConfig read_back, read({file.metadata, shape, tensor}));
  Result<void> expressed = check_expressed(
      c, read_back, fmt::format("a GGUF file of architecture '{}'", family->gguf.architecture),
      not_compared(c));
  if (expressed.ok()) return file;
  Error error = std::move(expressed).error();
  error.hint = "'quern convert --to hf' keeps it";
  return error;
}

}  // namespace quern::model
