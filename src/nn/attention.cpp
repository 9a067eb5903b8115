#include "nn/attention.h"

#include <cmath>

#include "nn/adapter.h"
#include "ops/attention.h"
#include "ops/clamp.h"
#include "ops/reshape.h"
#include "ops/scale.h"

namespace quern::nn {

Attention::Attention(const AttentionSpec& spec, std::shared_ptr<Rotary> rotary)
    : spec_(spec),
      rotary_(std::move(rotary)),
      q_(spec.hidden, spec.heads * spec.head_dim, spec.qkv_bias, spec.init_std),
      k_(spec.hidden, spec.kv_heads * spec.head_dim, spec.qkv_bias, spec.init_std),
      v_(spec.hidden, spec.kv_heads * spec.head_dim, spec.qkv_bias, spec.init_std),
      o_(spec.heads * spec.head_dim, spec.hidden, spec.output_bias, spec.init_std_residual) {
  if (spec.qk_norm != QkNorm::none) {
    const bool whole = spec.qk_norm == QkNorm::whole;
    q_norm_.emplace(whole ? spec.heads * spec.head_dim : spec.head_dim, spec.qk_norm_spec);
    k_norm_.emplace(whole ? spec.kv_heads * spec.head_dim : spec.head_dim, spec.qk_norm_spec);
  }
  if (spec.alibi) {
    options_.slopes = ops::alibi_slopes(spec.heads, spec.alibi_max_bias);
    const double scale = spec.scale > 0.0 ? spec.scale : 1.0 / std::sqrt(static_cast<double>(spec.head_dim));
    if (spec.alibi_scaled) options_.slopes = ops::scale(options_.slopes, scale);
  }
  options_.scale = spec.scale;
  options_.softcap = spec.softcap;
}

// [B, T, H * D] -> [B, T, H, D], limited and normed where the layer says so.
Tensor Attention::heads_of(const Tensor& projected, int64_t heads, const std::optional<Norm>& norm) const {
  const Shape shape{projected.dim(0), projected.dim(1), heads, spec_.head_dim};
  const double clip = spec_.qkv_clip;
  const Tensor x = clip > 0.0 ? ops::clamp(projected, -clip, clip) : projected;
  if (!norm) return ops::reshape(x, shape);
  if (spec_.qk_norm == QkNorm::whole) return ops::reshape(norm->forward(x), shape);
  return norm->forward(ops::reshape(x, shape));
}

Tensor Attention::forward(const Tensor& x, const ForwardContext& context) const {
  const int64_t batch = x.dim(0), time = x.dim(1);
  const Linear* const maps[] = {&q_, &k_, &v_};
  const std::vector<Tensor> projected = Linear::forward_group(x, maps, context);
  Tensor q = heads_of(projected[0], spec_.heads, q_norm_);
  Tensor k = heads_of(projected[1], spec_.kv_heads, k_norm_);
  Tensor v = heads_of(projected[2], spec_.kv_heads, std::nullopt);
  if (rotary_) {
    q = rotary_->forward(q, context);
    k = rotary_->forward(k, context);
  }
  k = with_virtual_keys(spec_.layer, k, context);
  v = with_virtual_values(spec_.layer, v, context);
  const ops::AttentionMask mask = narrowed(context.mask, spec_.window);
  ops::AttentionOptions options = options_;
  options.bias = spec_.disentangled ? distance_bias(q, k, context) : context.bias;
  const Tensor y = context.cache ? context.cache->attend(spec_.layer, q, k, v, mask, context, options)
                                 : ops::attention(q, k, v, mask, options);
  return o_.forward(ops::reshape(y, {batch, time, spec_.heads * spec_.head_dim}), context);
}

// The projections of content serve distances too.
Tensor Attention::distance_bias(const Tensor& q, const Tensor& k, const ForwardContext& context) const {
  const Shape shape{1, context.distances.dim(0), spec_.hidden};
  const Tensor distances = ops::reshape(context.distances, shape);
  const Tensor queries = heads_of(q_.forward(distances, context), spec_.heads, std::nullopt);
  const Tensor keys = heads_of(k_.forward(distances, context), spec_.kv_heads, std::nullopt);
  return disentangled_bias(q, k, queries, keys, *spec_.disentangled,
                           ops::attention_scale(options_, spec_.head_dim));
}

SourceKeys Attention::keys_of(const Tensor& states, const ForwardContext& context) const {
  const Linear* const maps[] = {&k_, &v_};
  const std::vector<Tensor> projected = Linear::forward_group(states, maps, context);
  return {heads_of(projected[0], spec_.kv_heads, k_norm_),
          heads_of(projected[1], spec_.kv_heads, std::nullopt)};
}

Tensor Attention::forward_source(const Tensor& x, const ForwardContext& context) const {
  const auto& [keys, values] = context.source->layers[static_cast<size_t>(spec_.layer)];
  const int64_t batch = x.dim(0), time = x.dim(1), sources = keys.dim(0);
  // Sequences of one source are queries of one sequence.
  const Shape rows{sources, batch * time / sources};
  Tensor q = heads_of(q_.forward(x, context), spec_.heads, q_norm_);
  q = ops::reshape(q, {rows[0], rows[1], spec_.heads, spec_.head_dim});
  ops::AttentionMask mask = ops::full_mask(rows[0], rows[1], keys.dim(1));
  for (int64_t i = 0; i < rows.numel(); ++i) {
    mask.end.data<int32_t>()[i] =
        static_cast<int32_t>(context.source->lengths[static_cast<size_t>(i / rows[1])]);
  }
  const Tensor y = ops::attention(q, keys, values, mask, options_);
  return o_.forward(ops::reshape(y, {batch, time, spec_.heads * spec_.head_dim}), context);
}

void Attention::visit(const Visitor& visitor, const std::string& prefix) {
  q_.visit(visitor, prefix + "q.");
  k_.visit(visitor, prefix + "k.");
  v_.visit(visitor, prefix + "v.");
  if (q_norm_) q_norm_->visit(visitor, prefix + "q_norm.");
  if (k_norm_) k_norm_->visit(visitor, prefix + "k_norm.");
  o_.visit(visitor, prefix + "o.");
}

}  // namespace quern::nn
