#include "model/virtual_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/graph.h"
#include "base/rng.h"
#include "model/family.h"
#include "model/tensor_layout.h"
#include "nn/kv_cache.h"
#include "ops/cast.h"
#include "ops/transpose.h"

namespace quern::model {

namespace {

using formats::NamedTensor;
using formats::PeftConfig;
using formats::PeftFolder;
using formats::PeftVirtualTokens;

constexpr std::string_view kEmbeddings = "prompt_embeddings";
// Of a prefix that is still learnt through its projection; the rest of the names are those of nn::Prefix.
constexpr std::string_view kEncoder = "prompt_encoder.";
constexpr uint64_t kTokens = 0x70726F6D7074;  // the stream of random tokens

Result<void> check_count(const ModelConfig& config, int64_t tokens, const std::string& source) {
  if (tokens < config.max_positions) return {};
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("{}: {} virtual tokens leave no room for a text in the model's context of {}",
                                source, tokens, config.max_positions),
                    "take fewer: 20 to 100 are usual");
}

// i32 [1, count]: those of `text` in turn, or random ones.
Tensor first_tokens(const ModelConfig& config, int64_t count, std::span<const int32_t> text, uint64_t seed) {
  Tensor ids({1, count}, DType::i32);
  Rng rng(seed, kTokens);
  size_t next = 0;
  for (int32_t& id : ids.span<int32_t>()) {
    id = text.empty() ? static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.vocab_size)))
                      : text[next++ % text.size()];
  }
  return ids;
}

// Sees keys and values as caches get them.
class Recorder final : public nn::KvCache {
 public:
  Tensor attend(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                const ops::AttentionMask& mask, const nn::ForwardContext&,
                const ops::AttentionOptions& options) override {
    seen.resize(std::max(seen.size(), static_cast<size_t>(layer) + 1));
    seen[static_cast<size_t>(layer)] = {k, v};
    return ops::attention(q, k, v, mask, options);
  }

  std::vector<nn::SourceKeys> seen;
};

int64_t key_width(const ModelConfig& config) { return config.kv_heads * config.head_dim; }

PeftConfig described(PeftConfig settings, const ModelConfig& config, formats::PeftMethod method,
                     int64_t count) {
  settings.method = method;
  settings.tokens.count = count;
  settings.tokens.layers = config.layers;
  const bool prefix = method == formats::PeftMethod::prefix;
  settings.tokens.width = prefix ? key_width(config) : config.embedding_size;
  settings.tokens.heads = prefix ? config.kv_heads : config.heads;
  return settings;
}

// prompt_embeddings [num_virtual_tokens, columns] in f32.
Result<Tensor> read_embeddings(const ModelConfig& config, const PeftFolder& folder, int64_t columns,
                               const std::string& of_model) {
  const formats::TensorEntry* entry = folder.weights.find(kEmbeddings);
  if (entry == nullptr) return folder.misfit(fmt::format("it has no tensor {}", kEmbeddings));
  QUERN_CHECK(check_count(config, folder.config.tokens.count, folder.path.string()));
  const Shape wanted{folder.config.tokens.count, columns};
  QUERN_TRY(const Tensor tensor, folder.weights.tensor(kEmbeddings));
  if (tensor.shape() != wanted || !is_float(tensor.dtype())) {
    return folder.misfit(fmt::format("{}: expected {} ({}), got {}", kEmbeddings, wanted.to_string(),
                                     of_model, entry->describe()));
  }
  return ops::cast(tensor, DType::f32).clone();
}

// Keys [n, W] of a layer where the layout of heads is that of `to` in place of `from`.
Tensor relaid_keys(const Tensor& keys, int64_t layer, const ModelConfig& from, const ModelConfig& to) {
  const std::string name = fmt::format("blocks.{}.attention.k.weight", layer);
  return ops::transpose(relaid(ops::transpose(keys), name, from, to));
}

// Columns [begin, begin + W) of rows [n, C].
Tensor columns_of(const Tensor& rows, int64_t begin, int64_t width) {
  Tensor part({rows.dim(0), width}, DType::f32);
  for (int64_t i = 0; i < rows.dim(0); ++i)
    std::copy_n(rows.data<float>() + i * rows.dim(1) + begin, width, part.data<float>() + i * width);
  return part;
}

void put_columns(const Tensor& part, const Tensor& rows, int64_t begin) {
  const Tensor wide = ops::cast(part, DType::f32);
  for (int64_t i = 0; i < rows.dim(0); ++i)
    std::copy_n(wide.data<float>() + i * part.dim(1), part.dim(1),
                rows.data<float>() + i * rows.dim(1) + begin);
}

// [n, layers · 2 · W]: keys and values of each layer in turn, as PEFT has them.
Tensor flat(const nn::Prefix& prefix, const ModelConfig& config) {
  const autograd::NoGrad no_grad;
  const int64_t width = prefix.spec().width;
  Tensor all({prefix.spec().tokens, 2 * prefix.spec().layers * width}, DType::f32);
  for (int64_t layer = 0; layer < prefix.spec().layers; ++layer) {
    const Tensor keys = ops::cast(prefix.keys(layer), DType::f32);
    put_columns(relaid_keys(keys, layer, config, hf_layout(config)), all, 2 * layer * width);
    put_columns(prefix.values(layer), all, (2 * layer + 1) * width);
  }
  return all;
}

Result<nn::Prefix> load_projected(const PeftFolder& folder, const nn::PrefixSpec& spec) {
  nn::Prefix prefix(spec);
  Result<void> status;
  prefix.visit([&](const std::string& name, nn::Parameter& parameter) {
    if (!status.ok()) return;
    const std::string file = std::string(kEncoder) + name;
    Result<Tensor> tensor = folder.weights.tensor(file);
    if (!tensor.ok()) {
      status = std::move(tensor).error();
    } else if (tensor->shape() != parameter.shape() || tensor->dtype() != DType::f32) {
      status = folder.misfit(
          fmt::format("{}: expected {}, got {}", file, parameter.shape().to_string(), tensor->describe()));
    } else {
      parameter.assign(tensor->clone());
    }
  });
  if (!status.ok()) return std::move(status).error();
  return prefix;
}

}  // namespace

Result<nn::SoftPrompt> make_prompt(const Decoder& model, int64_t tokens, std::span<const int32_t> text,
                                   uint64_t seed) {
  const ModelConfig& config = model.config();
  QUERN_CHECK(check_count(config, tokens, "the adapter"));
  const autograd::NoGrad no_grad;
  nn::SoftPrompt prompt(tokens, config.embedding_size);
  const Tensor rows = model.embeddings(first_tokens(config, tokens, text, seed), DType::f32);
  prompt.rows().assign(rows.reshaped({tokens, config.embedding_size}).clone());
  nn::set_trainable(prompt, true);
  return prompt;
}

Result<nn::Prefix> make_prefix(const Decoder& model, const PeftVirtualTokens& tokens,
                               std::span<const int32_t> text, uint64_t seed) {
  const ModelConfig& config = model.config();
  QUERN_CHECK(check_count(config, tokens.count, "the adapter"));
  const int64_t width = key_width(config);
  nn::Prefix prefix({.tokens = tokens.count,
                     .layers = config.layers,
                     .width = width,
                     .projection = tokens.projected ? tokens.projection : 0});
  if (tokens.projected) {
    nn::initialise(prefix, seed);
    return prefix;
  }
  const autograd::NoGrad no_grad;
  Recorder recorder;
  nn::ForwardContext context = nn::ForwardContext::causal(1, tokens.count);
  context.cache = &recorder;
  model.hidden(first_tokens(config, tokens.count, text, seed), context);
  const auto rows = [&](const Tensor& seen) {
    return ops::cast(seen, DType::f32).reshaped({tokens.count, width}).clone();
  };
  for (size_t layer = 0; layer < recorder.seen.size(); ++layer)
    prefix.assign(static_cast<int64_t>(layer), rows(recorder.seen[layer].keys),
                  rows(recorder.seen[layer].values));
  nn::set_trainable(prefix, true);
  return prefix;
}

Result<nn::SoftPrompt> load_prompt(const ModelConfig& config, const PeftFolder& folder) {
  QUERN_TRY(Tensor rows,
            read_embeddings(config, folder, config.embedding_size,
                            fmt::format("embeddings of the model are {} wide", config.embedding_size)));
  nn::SoftPrompt prompt(rows.dim(0), rows.dim(1));
  prompt.rows().assign(std::move(rows));
  prompt.freeze();
  return prompt;
}

Result<nn::Prefix> load_prefix(const ModelConfig& config, const PeftFolder& folder) {
  const PeftVirtualTokens& tokens = folder.config.tokens;
  const int64_t width = key_width(config);
  if (tokens.layers != config.layers)
    return folder.misfit(
        fmt::format("it is of {} layers, and the model has {}", tokens.layers, config.layers));
  QUERN_TRY(const Tensor rows,
            read_embeddings(config, folder, 2 * config.layers * width,
                            fmt::format("keys and values of {} layers with {} kv-heads of {}", config.layers,
                                        config.kv_heads, config.head_dim)));
  nn::PrefixSpec spec{.tokens = tokens.count, .layers = config.layers, .width = width};
  if (folder.weights.find(std::string(kEncoder) + "embedding") != nullptr) {
    spec.projection = tokens.projection;
    QUERN_TRY(nn::Prefix projected, load_projected(folder, spec));
    projected.freeze();
    return projected;
  }
  nn::Prefix prefix(spec);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const Tensor keys = columns_of(rows, 2 * layer * width, width);
    prefix.assign(layer, relaid_keys(keys, layer, hf_layout(config), config).clone(),
                  columns_of(rows, (2 * layer + 1) * width, width));
  }
  prefix.freeze();
  return prefix;
}

Result<void> save_prompt(const nn::SoftPrompt& prompt, const ModelConfig& config, PeftConfig settings,
                         const std::filesystem::path& folder) {
  settings = described(std::move(settings), config, formats::PeftMethod::prompt, prompt.virtual_tokens());
  return formats::write_peft_folder(folder, settings,
                                    {{std::string(kEmbeddings), prompt.rows().master().detached()}});
}

Result<void> save_prefix(const nn::Prefix& prefix, const ModelConfig& config, PeftConfig settings,
                         const std::filesystem::path& folder, bool final) {
  settings = described(std::move(settings), config, formats::PeftMethod::prefix, prefix.virtual_tokens());
  std::vector<NamedTensor> tensors{{std::string(kEmbeddings), flat(prefix, config)}};
  if (!final && prefix.spec().projection > 0) {
    nn::visit(prefix, [&](const std::string& name, const nn::Parameter& parameter) {
      tensors.push_back({std::string(kEncoder) + name, parameter.master().detached()});
    });
  }
  return formats::write_peft_folder(folder, settings, std::move(tensors));
}

}  // namespace quern::model
