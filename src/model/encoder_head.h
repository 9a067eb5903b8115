// What stands on top of an encoder: all published heads are a dense layer, a norm and a projection to outputs, of
// which each may be absent, over the first state or over all.
#pragma once

#include <optional>

#include "model/config.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace quern::model {

// Parameters are named head_dense.{weight,bias}, head_norm.{weight,bias} and head.{weight,bias}; those of a masked
// language model whose projection is the token embedding lack head.weight.
class EncoderHead final : public nn::Module {
 public:
  // Precondition: `config` is resolved and has a head or a dense layer.
  explicit EncoderHead(const ModelConfig& config);

  // Of states [B, T, C], by config.head, wide: none: the pooled state [B, C]; sequence_classification: [B, labels];
  // the others: [B, T, outputs]. `embedding`: the table of token embeddings, for tied projections. Dropout is before the
  // outputs of labels.
  Tensor forward(const Tensor& states, const nn::Parameter& embedding,
                 const nn::DropoutState& dropout = {}) const;
  // See Encoder::loss.
  Tensor loss(const Tensor& states, const nn::Parameter& embedding, const Tensor& targets,
              const Tensor& weights) const;
  void visit(const nn::Visitor& visitor, const std::string& prefix = {}) override;

 private:
  Tensor before_outputs(const Tensor& states) const;

  Head head_;
  double dropout_;  // before outputs of labels
  ops::Activation activation_;
  std::optional<nn::Linear> dense_;
  std::optional<nn::Norm> norm_;
  std::optional<nn::Linear> outputs_;       // absent when tied, and without outputs
  std::optional<nn::Parameter> tied_bias_;  // of a tied projection
};

}  // namespace quern::model
