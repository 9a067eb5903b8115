#include "model/encoder_head.h"

#include "model/block_spec.h"
#include "nn/dropout.h"
#include "ops/cast.h"
#include "ops/embedding.h"
#include "ops/linear_cross_entropy.h"
#include "ops/reshape.h"

namespace quern::model {

namespace {

constexpr uint64_t kDropoutSite = 0xFFFF;  // behind those of blocks

// [B, T, C] -> [B, C]: the state of the token that stands for the whole text.
Tensor first_states(const Tensor& states) {
  const int64_t batch = states.dim(0), time = states.dim(1);
  Tensor rows({batch}, DType::i32);
  for (int64_t b = 0; b < batch; ++b) rows.data<int32_t>()[b] = static_cast<int32_t>(b * time);
  return ops::embedding(rows, ops::reshape(states, {batch * time, states.dim(2)}), states.dtype());
}

}  // namespace

EncoderHead::EncoderHead(const ModelConfig& c)
    : head_(c.head),
      dropout_(c.head == Head::sequence_classification || c.head == Head::token_classification ? c.dropout
                                                                                               : 0.0),
      activation_(c.head_activation) {
  const bool words = c.head == Head::masked_lm;
  const int64_t width = words ? c.embedding_size : c.hidden;
  if (activation_ != ops::Activation::identity) dense_.emplace(c.hidden, width, true, c.init_std);
  if (words) norm_.emplace(width, norm_spec(c));
  if (words && c.tied_embeddings)
    tied_bias_.emplace(Shape{c.vocab_size}, nn::Init{});
  else if (c.head != Head::none)
    outputs_.emplace(width, c.head_outputs(), true, c.init_std);
}

Tensor EncoderHead::before_outputs(const Tensor& states) const {
  const bool one_row = head_ == Head::none || head_ == Head::sequence_classification;
  Tensor x = one_row ? first_states(states) : states;
  if (dense_) x = ops::activation(activation_, dense_->forward(x, {}));
  return norm_ ? norm_->forward(x) : x;
}

Tensor EncoderHead::forward(const Tensor& states, const nn::Parameter& embedding,
                            const nn::DropoutState& dropout) const {
  Tensor x = before_outputs(states);
  x = nn::dropout(ops::cast(x, wide_of(x.dtype())), dropout_, dropout, kDropoutSite);
  if (tied_bias_) return ops::linear(x, embedding.value(), tied_bias_->value());
  return outputs_ ? outputs_->forward(x, {}) : x;
}

Tensor EncoderHead::loss(const Tensor& states, const nn::Parameter& embedding, const Tensor& targets,
                         const Tensor& weights) const {
  const Tensor x = before_outputs(states);
  const int64_t rows = x.shape().rows();
  Tensor bias = tied_bias_ ? tied_bias_->value() : Tensor();
  if (outputs_) {
    nn::visit(*outputs_, [&](const std::string& name, const nn::Parameter& parameter) {
      if (name == "bias") bias = parameter.value();
    });
  }
  return ops::linear_cross_entropy(ops::reshape(x, {rows, x.dim(-1)}),
                                   tied_bias_ ? embedding.value() : outputs_->weight().value(),
                                   targets.reshaped({rows}), {.weights = weights, .bias = bias});
}

void EncoderHead::visit(const nn::Visitor& visitor, const std::string& prefix) {
  if (dense_) dense_->visit(visitor, prefix + "head_dense.");
  if (norm_) norm_->visit(visitor, prefix + "head_norm.");
  if (outputs_) outputs_->visit(visitor, prefix + "head.");
  if (tied_bias_) visitor(prefix + "head.bias", *tied_bias_);
}

}  // namespace quern::model
