#include "model/block_spec.h"

#include <fmt/format.h>

#include <cmath>

namespace quern::model {

nn::NormSpec norm_spec(const ModelConfig& c) { return {c.norm, c.norm_eps, c.norm_offset, c.norm_bias}; }

nn::BlockSpec block_spec(const ModelConfig& c, int64_t layer) {
  const double residual_std = c.init_std / std::sqrt(2.0 * static_cast<double>(c.layers));
  nn::BlockSpec spec;
  spec.layout = c.layout;
  spec.norm = norm_spec(c);
  spec.cross_attention = c.cross_attention;
  spec.dropout = c.dropout;
  spec.attention = {.layer = layer,
                    .hidden = c.hidden,
                    .heads = c.heads,
                    .kv_heads = c.kv_heads,
                    .head_dim = c.head_dim,
                    .qkv_bias = c.qkv_bias,
                    .qkv_clip = c.qkv_clip,
                    .output_bias = c.output_bias,
                    .scale = c.attention_scale,
                    .softcap = c.attention_softcap,
                    .window = c.window_of(layer),
                    .alibi = c.positions == Positions::alibi,
                    .alibi_max_bias = c.alibi_max_bias,
                    .alibi_scaled = c.alibi_scaled,
                    .qk_norm = c.qk_norm,
                    .qk_norm_spec = norm_spec(c),
                    .init_std = c.init_std,
                    .init_std_residual = residual_std};
  if (c.positions == Positions::disentangled) {
    spec.attention.disentangled = {.buckets = c.relative_buckets, .max_distance = c.relative_max_distance};
    // Three products make a score.
    if (c.attention_scale == 0.0)
      spec.attention.scale = 1.0 / std::sqrt(3.0 * static_cast<double>(c.head_dim));
  }
  spec.mlp = {.hidden = c.hidden,
              .intermediate = c.intermediate,
              .activation = c.activation,
              .gated = c.gated_mlp,
              .bias = c.mlp_bias,
              .init_std = c.init_std,
              .init_std_residual = residual_std};
  if (!c.has_experts(layer)) return spec;
  spec.experts = {.expert = spec.mlp,
                  .experts = c.experts,
                  .chosen = c.experts_per_token,
                  .renormalise = c.renormalise_experts,
                  .shared_intermediate = c.shared_intermediate};
  spec.experts->expert.intermediate = c.expert_intermediate;
  return spec;
}

Tensor position_rows(const ModelConfig& config, const Tensor& positions) {
  const int64_t offset = config.position_offset;
  if (offset == 0) return positions;
  Tensor result = positions.clone();
  for (int32_t& position : result.span<int32_t>()) position += static_cast<int32_t>(offset);
  return result;
}

Result<void> check_kind(const ModelConfig& config, Kind wanted) {
  if (config.kind == wanted) return {};
  struct Words {
    std::string_view what, commands;
  };
  const auto words = [](Kind kind) -> Words {
    switch (kind) {
      case Kind::encoder:
        return {"an encoder", "'quern embed' and 'quern predict' are for encoders"};
      case Kind::encoder_decoder:
        return {"an encoder-decoder", "'quern generate' is for encoder-decoders"};
      case Kind::decoder:
        break;
    }
    return {"a decoder", "'quern generate' and 'quern chat' are for decoders"};
  };
  return make_error(
      ErrorCode::conflict,
      fmt::format("'{}' is {}, expected {}", config.family, words(config.kind).what,
                  wanted == Kind::decoder ? "a decoder, which generates text" : words(wanted).what),
      std::string(words(config.kind).commands));
}

Result<void> check_writes(const ModelConfig& config) {
  QUERN_CHECK(check_kind(config, Kind::decoder));
  if (!config.scores()) return {};
  return make_error(
      ErrorCode::conflict,
      fmt::format("'{}' is a reward model here, which scores texts and writes none", config.family),
      "'quern predict' is for reward models");
}

std::optional<nn::RelativePositions> relative_positions(const ModelConfig& config) {
  if (!config.has_relative_biases()) return std::nullopt;
  return nn::RelativePositions({.heads = config.heads,
                                .buckets = config.relative_buckets,
                                .max_distance = config.relative_max_distance,
                                .bidirectional = config.kind == Kind::encoder,
                                .init_std = config.init_std});
}

}  // namespace quern::model
