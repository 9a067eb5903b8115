#include "nn/block.h"

#include "nn/adapter.h"
#include "nn/dropout.h"
#include "ops/binary.h"

namespace quern::nn {

namespace {
constexpr uint64_t kCrossSites = uint64_t{1} << 15;  // sites of dropout in cross-attention begin here
}

Block::Block(const BlockSpec& spec, std::shared_ptr<Rotary> rotary)
    : layout_(spec.layout),
      dropout_(spec.dropout),
      layer_(static_cast<uint64_t>(spec.attention.layer)),
      attention_norm_(spec.attention.hidden, spec.norm),
      attention_(spec.attention, std::move(rotary)),
      mlp_(spec.experts ? decltype(mlp_)(MixtureOfExperts(*spec.experts)) : decltype(mlp_)(Mlp(spec.mlp))) {
  if (spec.cross_attention) {
    cross_norm_.emplace(spec.attention.hidden, spec.norm);
    cross_attention_.emplace(spec.attention, nullptr);
  }
  if (layout_ != BlockLayout::parallel) mlp_norm_.emplace(spec.mlp.hidden, spec.norm);
  if (layout_ == BlockLayout::sandwich) {
    attention_post_norm_.emplace(spec.attention.hidden, spec.norm);
    mlp_post_norm_.emplace(spec.mlp.hidden, spec.norm);
  }
}

Tensor Block::attend(const Tensor& x, const Tensor& stream, const ForwardContext& context) const {
  const Tensor y = dropout(attention_.forward(x, context), dropout_, context.dropout, 1 + 2 * layer_);
  return followed(static_cast<int64_t>(layer_), Branch::attention, y, stream, context);
}

Tensor Block::read_source(const Tensor& x, const ForwardContext& context) const {
  return dropout(cross_attention_->forward_source(x, context), dropout_, context.dropout,
                 kCrossSites + layer_);
}

Tensor Block::feed_forward(const Tensor& x, const Tensor& stream, const ForwardContext& context) const {
  const Tensor made = std::visit([&](const auto& mlp) { return mlp.forward(x, context); }, mlp_);
  const Tensor y = dropout(made, dropout_, context.dropout, 2 + 2 * layer_);
  return followed(static_cast<int64_t>(layer_), Branch::mlp, y, stream, context);
}

Tensor Block::forward(const Tensor& x, const ForwardContext& context) const {
  if (layout_ == BlockLayout::post_norm) {
    Tensor h = attention_norm_.forward(ops::add(x, attend(x, x, context)));
    if (cross_attention_) h = cross_norm_->forward(ops::add(h, read_source(h, context)));
    return mlp_norm_->forward(ops::add(h, feed_forward(h, h, context)));
  }
  if (layout_ == BlockLayout::branch_norm) {
    const Tensor h = ops::add(x, attention_norm_.forward(attend(x, x, context)));
    return ops::add(h, mlp_norm_->forward(feed_forward(h, h, context)));
  }
  if (layout_ == BlockLayout::sandwich) {
    const Tensor attended = attend(attention_norm_.forward(x), x, context);
    const Tensor h = ops::add(x, attention_post_norm_->forward(attended));
    return ops::add(h, mlp_post_norm_->forward(feed_forward(mlp_norm_->forward(h), h, context)));
  }
  const Tensor normed = attention_norm_.forward(x);
  Tensor h = ops::add(x, attend(normed, x, context));
  if (cross_attention_) h = ops::add(h, read_source(cross_norm_->forward(h), context));
  if (layout_ == BlockLayout::parallel) return ops::add(h, feed_forward(normed, h, context));
  const Tensor& entering = layout_ == BlockLayout::parallel_norms ? x : h;
  return ops::add(h, feed_forward(mlp_norm_->forward(entering), h, context));
}

void Block::visit(const Visitor& visitor, const std::string& prefix) {
  attention_norm_.visit(visitor, prefix + "attention_norm.");
  attention_.visit(visitor, prefix + "attention.");
  if (attention_post_norm_) attention_post_norm_->visit(visitor, prefix + "attention_post_norm.");
  if (cross_norm_) cross_norm_->visit(visitor, prefix + "cross_norm.");
  if (cross_attention_) cross_attention_->visit(visitor, prefix + "cross_attention.");
  if (mlp_norm_) mlp_norm_->visit(visitor, prefix + "mlp_norm.");
  std::visit([&](auto& mlp) { mlp.visit(visitor, prefix + "mlp."); }, mlp_);
  if (mlp_post_norm_) mlp_post_norm_->visit(visitor, prefix + "mlp_post_norm.");
}

}  // namespace quern::nn
