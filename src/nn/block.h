// One layer of the decoder: attention and MLP around the residual stream.
#pragma once

#include <variant>

#include "nn/attention.h"
#include "nn/moe.h"
#include "nn/norm.h"

namespace quern::nn {

// Where the norms stand:
//   pre_norm   h = x + A(n1(x));  y = h + M(n2(h))       (GPT-2, Llama)
//   post_norm  h = n1(x + A(x));  y = n2(h + M(h))       (the first Transformer, BERT)
//   parallel   y = x + A(n1(x)) + M(n1(x))               (GPT-J, Phi, Falcon 7B)
//   parallel_norms  y = x + A(n1(x)) + M(n2(x))         (GPT-NeoX, Falcon 40B)
//   branch_norm  h = x + n1(A(x));  y = h + n2(M(h))     (OLMo 2)
//   sandwich   h = x + p1(A(n1(x)));  y = h + p2(M(n2(h)))   (Gemma 2 and 3)
enum class BlockLayout : uint8_t { pre_norm, post_norm, parallel, parallel_norms, branch_norm, sandwich };

struct BlockSpec {
  BlockLayout layout = BlockLayout::pre_norm;
  NormSpec norm;
  AttentionSpec attention;
  MlpSpec mlp;
  std::optional<MoeSpec> experts = {};  // in place of the MLP
  bool cross_attention =
      false;  // after attention, over context.source, with a norm of its own: pre_norm and post_norm
  double dropout = 0.0;  // on each branch before it joins the residual stream
};

class Block final : public Module {
 public:
  Block(const BlockSpec& spec, std::shared_ptr<Rotary> rotary);

  // x [B, T, C] -> [B, T, C]
  Tensor forward(const Tensor& x, const ForwardContext& context) const;
  // What cross-attention reads of `states` [1 or B, S, C]. Precondition: the block has cross-attention.
  SourceKeys source_keys(const Tensor& states, const ForwardContext& context) const {
    return cross_attention_->keys_of(states, context);
  }
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

 private:
  // What branches make of x and are about to add to `stream`.
  Tensor attend(const Tensor& x, const Tensor& stream, const ForwardContext& context) const;
  Tensor read_source(const Tensor& x, const ForwardContext& context) const;
  Tensor feed_forward(const Tensor& x, const Tensor& stream, const ForwardContext& context) const;

  BlockLayout layout_;
  double dropout_;
  uint64_t layer_;
  Norm attention_norm_;
  Attention attention_;
  std::optional<Norm> attention_post_norm_;  // in a sandwich
  std::optional<Norm> cross_norm_;
  std::optional<Attention> cross_attention_;
  std::optional<Norm> mlp_norm_;       // absent in a parallel block
  std::optional<Norm> mlp_post_norm_;  // in a sandwich
  std::variant<Mlp, MixtureOfExperts> mlp_;
};

}  // namespace quern::nn
