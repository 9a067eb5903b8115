#include "model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quern::model {

namespace {

template <class... Args>
Error wrong(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::invalid_argument,
                    "model config: " + fmt::format(format, std::forward<Args>(args)...));
}

void rope_fields(Fields& f, ops::RopeConfig& rope) {
  using Scaling = ops::RopeScaling;
  f.add("rope.theta", rope.theta, "base of the rotary frequencies");
  f.add("rope.rotary", rope.rotary, "channels of a head that rotate; 0: all").at_least(0);
  f.add("rope.half_split", rope.half_split, "pairs are (i, i + rotary/2), else (2i, 2i + 1)");
  f.add("rope.scaling", rope.scaling, "how the context was stretched",
        {{"none", Scaling::none},
         {"linear", Scaling::linear},
         {"ntk", Scaling::ntk},
         {"yarn", Scaling::yarn},
         {"llama3", Scaling::llama3},
         {"longrope", Scaling::longrope}});
  f.add("rope.factor", rope.factor, "of the stretched context");
  f.add("rope.original_positions", rope.original_positions, "context before stretching").at_least(0);
  f.add("rope.beta_fast", rope.beta_fast, "yarn: rotations above which a frequency is kept");
  f.add("rope.beta_slow", rope.beta_slow, "yarn: rotations below which it is stretched in full");
  f.add("rope.low_freq_factor", rope.low_freq_factor, "llama3: below it a frequency is stretched in full");
  f.add("rope.high_freq_factor", rope.high_freq_factor, "llama3: above it a frequency is kept");
}

// Beyond any model, and small enough that the size of a matrix is exact.
constexpr int64_t kMaxExtent = int64_t{1} << 24;

Result<void> check_extent(std::string_view field, int64_t value) {
  if (value >= 1 && value <= kMaxExtent) return {};
  return wrong("{} must be in [1, 2^24], got {}", field, value);
}

// The rules are those of ops::RopeTable; a table of one position costs nothing.
Result<void> check_rope(const ops::RopeConfig& rope, int64_t head_dim) {
  if (rope.rotary > head_dim)
    return wrong("rope.rotary must be at most head_dim ({}), got {}", head_dim, rope.rotary);
  try {
    const ops::RopeTable table(rope, 0, 1, 1);
  } catch (const ShapeError& error) {
    return Error(error.error()).within("model config");
  }
  return {};
}

Result<void> check_layers(std::string_view field, const std::vector<int64_t>& list, int64_t layers) {
  int64_t before = -1;
  for (const int64_t layer : list) {
    if (layer <= before || layer >= layers) {
      return wrong("{} must be ascending layers below {}, got {} after {}", field, layers, layer,
                   before < 0 ? "none" : std::to_string(before));
    }
    before = layer;
  }
  return {};
}

Result<void> check_experts(const ModelConfig& c) {
  if (c.experts == 0) return {};
  if (c.experts < 0 || c.experts > kMaxExperts || c.experts * c.layers > kMaxExtent / 16)
    return wrong("experts must be at most {}, and 2^20 in all layers, got {} in {}", kMaxExperts, c.experts,
                 c.layers);
  if (c.experts_per_token < 1 || c.experts_per_token > c.experts)
    return wrong("experts_per_token must be in [1, {}], got {}", c.experts, c.experts_per_token);
  if (c.shared_intermediate < 0 || c.shared_intermediate > kMaxExtent)
    return wrong("shared_intermediate must be in [0, 2^24], got {}", c.shared_intermediate);
  return check_extent("expert_intermediate", c.expert_intermediate);
}

// Settings of encoders, in the form of each kind. Precondition: other sizes are filled in.
void resolve_encoder(ModelConfig& c) {
  if (c.kind != Kind::encoder) {
    const ModelConfig none;
    c.token_types = c.distinct_layers = 0;
    if (!c.scores()) c.head = none.head;
    c.head_activation = none.head_activation;
  } else {
    if (c.distinct_layers == 0) c.distinct_layers = c.layers;
  }
  if (c.scores()) {
    c.tied_embeddings = true;
    c.head_bias = false;
  }
  if (c.head != Head::sequence_classification) c.problem = Problem::single_label;
  if (c.head != Head::sequence_classification && c.head != Head::token_classification) c.labels.clear();
}

Result<void> check_encoder(const ModelConfig& c) {
  if (c.scores()) QUERN_CHECK(check_extent("labels", c.head_outputs()));
  if (c.kind != Kind::encoder) return {};
  if (c.token_types < 0 || c.token_types > kMaxExtent)
    return wrong("token_types must be in [0, 2^24], got {}", c.token_types);
  if (c.distinct_layers < 1 || c.distinct_layers > c.layers)
    return wrong("distinct_layers must be in [1, {}], got {}", c.layers, c.distinct_layers);
  if (c.head != Head::none) QUERN_CHECK(check_extent("labels", c.head_outputs()));
  return {};
}

void resolve_encoder_decoder(ModelConfig& c) {
  if (!c.has_relative_positions()) {
    c.relative_buckets = ModelConfig().relative_buckets;
    c.relative_max_distance = ModelConfig().relative_max_distance;
  }
  if (c.kind != Kind::encoder_decoder) {
    c.encoder_layers = c.encoder_heads = c.encoder_intermediate = 0;
    return;
  }
  if (c.encoder_layers == 0) c.encoder_layers = c.layers;
  if (c.encoder_heads == 0) c.encoder_heads = c.heads;
  if (c.encoder_intermediate == 0) c.encoder_intermediate = c.intermediate;
}

Result<void> check_encoder_decoder(const ModelConfig& c) {
  if (c.has_relative_positions()) {
    if (c.relative_buckets < 4 || c.relative_buckets > kMaxExtent)
      return wrong("relative_buckets must be in [4, 2^24], got {}", c.relative_buckets);
    if (c.relative_max_distance <= c.relative_buckets / 2 || c.relative_max_distance > kMaxExtent)
      return wrong("relative_max_distance must be in ({}, 2^24], got {}", c.relative_buckets / 2,
                   c.relative_max_distance);
  }
  if (!std::isfinite(c.final_state_scale) || c.final_state_scale <= 0.0)
    return wrong("final_state_scale must be above 0, got {}", c.final_state_scale);
  if (c.kind != Kind::encoder_decoder) return {};
  QUERN_CHECK(check_extent("encoder_layers", c.encoder_layers));
  QUERN_CHECK(check_extent("encoder_heads", c.encoder_heads));
  QUERN_CHECK(check_extent("encoder_intermediate", c.encoder_intermediate));
  if (c.encoder_layers > kMaxLayers)
    return wrong("encoder_layers must be at most {}, got {}", kMaxLayers, c.encoder_layers);
  if (c.heads * c.head_dim % c.encoder_heads != 0)
    return wrong("heads * head_dim ({} * {}) must be a multiple of encoder_heads ({})", c.heads, c.head_dim,
                 c.encoder_heads);
  if (c.layout != nn::BlockLayout::pre_norm && c.layout != nn::BlockLayout::post_norm)
    return wrong("encoder-decoders have a layout of pre_norm or post_norm");
  if (c.start_token < 0 || c.start_token >= c.vocab_size)
    return wrong("start_token must be in [0, {}), got {}", c.vocab_size, c.start_token);
  return {};
}

void encoder_decoder_fields(Fields& f, ModelConfig& c) {
  f.add("encoder_layers", c.encoder_layers, "encoder-decoders: the encoder's blocks; 0: layers").at_least(0);
  f.add("encoder_heads", c.encoder_heads, "encoder-decoders: the encoder's heads; 0: heads").at_least(0);
  f.add("encoder_intermediate", c.encoder_intermediate,
        "encoder-decoders: width inside the encoder's MLP; 0: intermediate")
      .at_least(0);
  f.add("cross_attention", c.cross_attention, "blocks see the states of an encoder");
  f.add("final_state_scale", c.final_state_scale, "factor of final states on their way to logits");
  f.add("start_token", c.start_token, "encoder-decoders: what an answer begins with; -1: none").at_least(-1);
}

void expert_fields(Fields& f, ModelConfig& c) {
  f.add("experts", c.experts, "MLPs of which each token meets some; 0: one for all").at_least(0);
  f.add("experts_per_token", c.experts_per_token, "experts that compute a token").at_least(0);
  f.add("expert_intermediate", c.expert_intermediate, "width inside an expert; 0: intermediate").at_least(0);
  f.add("shared_intermediate", c.shared_intermediate, "width inside the expert of all tokens; 0: none")
      .at_least(0);
  f.add("renormalise_experts", c.renormalise_experts, "weights of a token's experts add up to 1");
  f.add("dense_layers", c.dense_layers, "layers with one MLP all the same");
}

void position_fields(Fields& f, ModelConfig& c) {
  f.add("positions", c.positions, "how positions enter",
        {{"none", Positions::none},
         {"learned", Positions::learned},
         {"rope", Positions::rope},
         {"alibi", Positions::alibi},
         {"relative", Positions::relative},
         {"both", Positions::both},
         {"disentangled", Positions::disentangled}});
  f.add("position_offset", c.position_offset, "rows of learned positions before that of position 0")
      .at_least(0);
  f.add("alibi_max_bias", c.alibi_max_bias, "largest exponent of alibi's slopes").at_least(0);
  f.add("alibi_scaled", c.alibi_scaled, "attention_scale applies to alibi's biases too");
  rope_fields(f, c.rope);
  f.add("relative_buckets", c.relative_buckets, "of distances, with relative positions").at_least(1);
  f.add("relative_norm", c.relative_norm, "norm of the vectors of disentangled positions");
  f.add("relative_max_distance", c.relative_max_distance, "distance from which on there is one bucket")
      .at_least(1);
}

void encoder_fields(Fields& f, ModelConfig& c) {
  using Act = ops::Activation;
  f.add("token_types", c.token_types, "encoders: kinds of segments with an embedding").at_least(0);
  f.add("embedding_norm", c.embedding_norm, "encoders: norm after the sum of embeddings");
  f.add("distinct_layers", c.distinct_layers, "encoders: blocks of their own weights; 0: layers").at_least(0);
  f.add("head", c.head,
        "encoders: what is made of final states; decoders with sequence_classification score texts",
        {{"none", Head::none},
         {"masked_lm", Head::masked_lm},
         {"sequence_classification", Head::sequence_classification},
         {"token_classification", Head::token_classification},
         {"question_answering", Head::question_answering},
         {"discriminator", Head::discriminator}});
  f.add("head_activation", c.head_activation, "encoders: of the head's dense layer; identity: none",
        {{"identity", Act::identity},
         {"tanh", Act::tanh},
         {"gelu", Act::gelu_erf},
         {"gelu_tanh", Act::gelu_tanh},
         {"silu", Act::silu},
         {"relu", Act::relu},
         {"relu_squared", Act::relu_squared}});
  f.add("problem", c.problem, "encoders: what a sequence's outputs mean",
        {{"single_label", Problem::single_label},
         {"multi_label", Problem::multi_label},
         {"regression", Problem::regression}});
  f.add("labels", c.labels, "encoders: names of the head's outputs");
}

}  // namespace

int64_t ModelConfig::block_of(int64_t layer) const {
  return distinct_layers == 0 ? layer : layer * distinct_layers / layers;
}

int64_t ModelConfig::head_outputs() const {
  switch (head) {
    case Head::none:
      return 0;
    case Head::masked_lm:
      return vocab_size;
    case Head::sequence_classification:
    case Head::token_classification:
      return static_cast<int64_t>(labels.size());
    case Head::question_answering:
      return 2;
    case Head::discriminator:
      return 1;
  }
  return 0;
}

ModelConfig ModelConfig::scoring() const {
  ModelConfig c = *this;
  c.head = Head::sequence_classification;
  c.problem = Problem::regression;
  c.labels = {"LABEL_0"};  // its name in transformers
  if (c.pad_token < 0) c.pad_token = c.eos_tokens.empty() ? 0 : c.eos_tokens.front();
  return c.resolved();
}

int64_t ModelConfig::window_of(int64_t layer) const {
  return std::ranges::binary_search(full_layers, layer) ? 0 : window;
}

bool ModelConfig::rotates(int64_t layer) const {
  return positions == Positions::rope && !std::ranges::binary_search(nope_layers, layer);
}

bool ModelConfig::has_experts(int64_t layer) const {
  return experts > 0 && !std::ranges::binary_search(dense_layers, layer);
}

ModelConfig ModelConfig::resolved() const {
  ModelConfig c = *this;
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  if (c.head_dim == 0 && c.heads > 0) c.head_dim = c.hidden / c.heads;
  // Beyond what validate() accepts four times it may be no number.
  if (c.intermediate == 0) c.intermediate = c.hidden > kMaxExtent ? c.hidden : 4 * c.hidden;
  if (c.embedding_size == 0 || c.kind == Kind::encoder_decoder) c.embedding_size = c.hidden;
  c.norm_bias = c.norm_bias && c.norm == ops::NormKind::layer;
  if (c.positions == Positions::rope) {
    if (c.rope.rotary == 0) c.rope.rotary = c.head_dim;
    c.rope.max_positions = c.max_positions;
  } else {
    c.rope = {};
    c.nope_layers.clear();
    c.local_rope_theta = 0.0;
  }
  if (c.experts == 0) {
    c.experts_per_token = c.expert_intermediate = c.shared_intermediate = 0;
    c.renormalise_experts = true;
    c.dense_layers.clear();
  } else if (c.expert_intermediate == 0) {
    c.expert_intermediate = c.intermediate;
  }
  if (!c.has_learned_positions()) c.position_offset = 0;
  c.relative_norm = c.relative_norm && c.positions == Positions::disentangled;
  if (c.positions != Positions::alibi) {
    c.alibi_max_bias = ModelConfig().alibi_max_bias;
    c.alibi_scaled = false;
  }
  if (!c.full_layers.empty() && static_cast<int64_t>(c.full_layers.size()) == c.layers) c.window = 0;
  if (c.window == 0) {
    c.full_layers.clear();
    c.local_rope_theta = 0.0;
  }
  if (c.local_rope_theta == c.rope.theta && c.rope.scaling == ops::RopeScaling::none)
    c.local_rope_theta = 0.0;
  if (c.embedding_scale == 0.0) c.embedding_scale = std::sqrt(static_cast<double>(c.hidden));
  resolve_encoder(c);
  resolve_encoder_decoder(c);
  return c;
}

void ModelConfig::fields(Fields& f) {
  using Layout = nn::BlockLayout;
  using Act = ops::Activation;
  f.add("family", family, "architecture the files are written for");
  f.add("kind", kind, "what the model does with text",
        {{"decoder", Kind::decoder}, {"encoder", Kind::encoder}, {"encoder_decoder", Kind::encoder_decoder}});
  f.add("vocab_size", vocab_size, "tokens of the vocabulary; 0: as the tokenizer").at_least(0);
  f.add("layers", layers, "blocks").at_least(0);
  f.add("hidden", hidden, "width of the residual stream").at_least(0);
  f.add("heads", heads, "attention heads").at_least(0);
  f.add("kv_heads", kv_heads, "key and value heads; 0: as heads").at_least(0);
  f.add("head_dim", head_dim, "width of a head; 0: hidden / heads").at_least(0);
  f.add("intermediate", intermediate, "width inside the MLP; 0: 4 * hidden").at_least(0);
  f.add("max_positions", max_positions, "longest context").at_least(0);
  f.add("layout", layout, "where the norms of a block stand",
        {{"pre_norm", Layout::pre_norm},
         {"post_norm", Layout::post_norm},
         {"parallel", Layout::parallel},
         {"parallel_norms", Layout::parallel_norms},
         {"branch_norm", Layout::branch_norm},
         {"sandwich", Layout::sandwich}});
  f.add("norm", norm, "normalisation", {{"layer", ops::NormKind::layer}, {"rms", ops::NormKind::rms}});
  f.add("norm_eps", norm_eps, "added to the variance");
  f.add("norm_offset", norm_offset, "added to norm weights");
  f.add("norm_bias", norm_bias, "layer norms have a bias");
  f.add("activation", activation, "nonlinearity of the MLP",
        {{"gelu", Act::gelu_erf},
         {"gelu_tanh", Act::gelu_tanh},
         {"silu", Act::silu},
         {"relu", Act::relu},
         {"relu_squared", Act::relu_squared}});
  f.add("gated_mlp", gated_mlp, "act(gate) * up in place of act(up)");
  f.add("qkv_bias", qkv_bias, "bias of the query, key and value projections");
  f.add("qkv_clip", qkv_clip, "largest magnitude of queries, keys and values; 0: any").at_least(0);
  f.add("output_bias", output_bias, "bias of the attention output projection");
  f.add("mlp_bias", mlp_bias, "bias of the MLP projections");
  expert_fields(f, *this);
  position_fields(f, *this);
  f.add("nope_layers", nope_layers, "layers without rotary positions");
  f.add("window", window, "keys a query sees, itself included; 0: all").at_least(0);
  f.add("full_layers", full_layers, "layers that see all keys whatever window says");
  f.add("local_rope_theta", local_rope_theta, "rope.theta of layers with a window; 0: as the others")
      .at_least(0);
  f.add("attention_scale", attention_scale, "of scores; 0: 1 / sqrt(head_dim)").at_least(0);
  f.add("attention_softcap", attention_softcap, "soft limit of attention scores; 0: none").at_least(0);
  f.add("qk_norm", qk_norm, "norm of queries and keys",
        {{"none", nn::QkNorm::none}, {"head", nn::QkNorm::head}, {"whole", nn::QkNorm::whole}});
  f.add("embedding_size", embedding_size, "width of embeddings; 0: hidden").at_least(0);
  f.add("tied_embeddings", tied_embeddings, "the output projection is the token embedding");
  f.add("head_bias", head_bias, "bias of the output projection");
  f.add("embedding_scale", embedding_scale, "factor of token embeddings; 0: sqrt(hidden)").at_least(0);
  f.add("logit_softcap", logit_softcap, "soft limit of logits; 0: none").at_least(0);
  encoder_decoder_fields(f, *this);
  encoder_fields(f, *this);
  f.add("dropout", dropout, "while training").range(0, 1);
  f.add("init_std", init_std, "standard deviation of first weights").at_least(0);
  f.add("bos_token", bos_token, "first token of a document; -1: none").at_least(-1);
  f.add("eos_tokens", eos_tokens, "tokens that end a text");
  f.add("pad_token", pad_token, "-1: none").at_least(-1);
  f.add("dtype", dtype, "of the weights in files",
        {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}});
}

Result<void> ModelConfig::validate() const {
  if (head_dim == 0 && heads > 0 && hidden % heads != 0) {
    return wrong("hidden ({}) must be a multiple of heads ({}) unless head_dim is given", hidden, heads);
  }
  const ModelConfig c = resolved();
  const std::pair<std::string_view, int64_t> extents[] = {{"vocab_size", c.vocab_size},
                                                          {"layers", c.layers},
                                                          {"hidden", c.hidden},
                                                          {"heads", c.heads},
                                                          {"kv_heads", c.kv_heads},
                                                          {"head_dim", c.head_dim},
                                                          {"intermediate", c.intermediate},
                                                          {"embedding_size", c.embedding_size},
                                                          {"max_positions", c.max_positions}};
  for (const auto& [field, value] : extents) QUERN_CHECK(check_extent(field, value));
  if (c.layers > kMaxLayers) return wrong("layers must be at most {}, got {}", kMaxLayers, c.layers);
  QUERN_CHECK(check_layers("nope_layers", nope_layers, c.layers));
  QUERN_CHECK(check_layers("full_layers", full_layers, c.layers));
  QUERN_CHECK(check_experts(c));
  QUERN_CHECK(check_encoder(c));
  QUERN_CHECK(check_encoder_decoder(c));
  QUERN_CHECK(check_layers("dense_layers", dense_layers, c.layers));
  if (c.heads * c.head_dim > kMaxExtent) {
    return wrong("heads * head_dim must be at most 2^24, got {} * {}", c.heads, c.head_dim);
  }
  if (c.heads % c.kv_heads != 0) {
    return wrong("heads ({}) must be a multiple of kv_heads ({})", c.heads, c.kv_heads);
  }
  if (!(c.norm_eps > 0.0)) return wrong("norm_eps must be positive, got {}", c.norm_eps);
  if (!(c.dropout >= 0.0 && c.dropout < 1.0)) return wrong("dropout must be in [0, 1), got {}", c.dropout);
  if (!(c.init_std >= 0.0)) return wrong("init_std must be at least 0, got {}", c.init_std);
  if (!(std::isfinite(c.qkv_clip) && c.qkv_clip >= 0.0))
    return wrong("qkv_clip must be at least 0, got {}", c.qkv_clip);
  if (!(c.attention_scale >= 0.0))
    return wrong("attention_scale must be at least 0, got {}", c.attention_scale);
  if (c.window < 0) return wrong("window must be at least 0, got {}", c.window);
  if (c.position_offset < 0 || c.position_offset > kMaxExtent)
    return wrong("position_offset must be in [0, 2^24], got {}", c.position_offset);
  if (!(std::isfinite(c.alibi_max_bias) && c.alibi_max_bias > 0.0))
    return wrong("alibi_max_bias must be above 0, got {}", c.alibi_max_bias);
  if (!(c.attention_softcap >= 0.0) || !(c.logit_softcap >= 0.0)) {
    return wrong("attention_softcap and logit_softcap must be at least 0, got {} and {}", c.attention_softcap,
                 c.logit_softcap);
  }
  if (!(std::isfinite(c.local_rope_theta) && c.local_rope_theta >= 0.0)) {
    return wrong("local_rope_theta must be at least 0, got {}", c.local_rope_theta);
  }
  if (!is_float(c.dtype)) return wrong("dtype must be a floating type, got {}", name_of(c.dtype));
  if (c.positions == Positions::rope) return check_rope(c.rope, c.head_dim);
  return {};
}

}  // namespace quern::model
