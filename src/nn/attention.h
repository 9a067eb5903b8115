// Multi-head attention with its projections: MHA, GQA and MQA; rotary, ALiBi or no positions; full or sliding
// window.
#pragma once

#include <memory>
#include <optional>

#include "nn/disentangled.h"
#include "nn/kv_cache.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/rotary.h"

namespace quern::nn {

// Norms of queries and keys before rotation: none; over each head (arXiv 2302.05442; Qwen 3, Gemma 3, Phi); over the
// whole projection (OLMo 2, arXiv 2501.00656).
enum class QkNorm : uint8_t { none, head, whole };

struct AttentionSpec {
  int64_t layer = 0;  // its place in the model and in the cache
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;  // divides heads
  int64_t head_dim = 0;
  bool qkv_bias = true;
  double qkv_clip = 0.0;  // queries, keys and values are limited to [-qkv_clip, qkv_clip] when > 0 (MPT)
  bool output_bias = true;
  double scale = 0.0;    // of q·k; 0: 1 / sqrt(head_dim)
  double softcap = 0.0;  // scores become softcap * tanh(score / softcap) when > 0 (Gemma 2, arXiv 2408.00118)
  int64_t window = 0;    // keys a query sees, itself included; 0: all
  bool alibi = false;    // arXiv 2108.12409
  double alibi_max_bias = 8.0;                        // see ops::alibi_slopes
  bool alibi_scaled = false;                          // `scale` applies to biases too
  std::optional<DisentangledSpec> disentangled = {};  // positions that context.distances describes
  QkNorm qk_norm = QkNorm::none;
  NormSpec qk_norm_spec = {};
  double init_std = 0.02;
  double init_std_residual = 0.02;
};

class Attention final : public Module {
 public:
  // `rotary` is shared by the layers that use the same angles; null without rotary positions.
  Attention(const AttentionSpec& spec, std::shared_ptr<Rotary> rotary);

  // x [B, T, C] -> [B, T, C]
  Tensor forward(const Tensor& x, const ForwardContext& context) const;
  // Cross-attention: what the keys and values of `states` [1 or B, S, C] are, and the attention of x [B, T, C] over them,
  // of which sequence b shows source.lengths[b]. Without rotation, mask and cache.
  SourceKeys keys_of(const Tensor& states, const ForwardContext& context) const;
  Tensor forward_source(const Tensor& x, const ForwardContext& context) const;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

 private:
  Tensor distance_bias(const Tensor& q, const Tensor& k, const ForwardContext& context) const;
  Tensor heads_of(const Tensor& projected, int64_t heads, const std::optional<Norm>& norm) const;

  AttentionSpec spec_;
  std::shared_ptr<Rotary> rotary_;
  Linear q_, k_, v_, o_;
  std::optional<Norm> q_norm_, k_norm_;
  ops::AttentionOptions options_;
};

}  // namespace quern::nn
