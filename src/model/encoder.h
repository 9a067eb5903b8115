// Encoder: text to states that see all of it, and the head that makes something of them (BERT and its relatives,
// arXiv 1810.04805; the first half of encoder-decoders). Built from a ModelConfig of Kind::encoder.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "model/config.h"
#include "model/encoder_head.h"
#include "nn/embedding.h"
#include "nn/relative_positions.h"

namespace quern::model {

// Parameters are named embedding.weight, token_type.weight, position.weight, relative.weight, distances.weight,
// distance_norm.{weight,bias}, embedding_norm.{weight,bias},
// embedding_projection.{weight,bias}, blocks.<l> as those of Decoder, final_norm.{weight,bias} (in pre-norm
// encoders), and the head's. Calls are for one thread at a time; they may share a const model.
class Encoder final : public nn::Module {
 public:
  // The structure without values: initialise or load before the first forward. Errors of config.validate();
  // conflict for a config of another kind.
  static Result<Encoder> create(const ModelConfig& config);
  // With weights drawn for (seed, parameter name), in `dtype` (f64 for gradient checks).
  static Result<Encoder> create(const ModelConfig& config, uint64_t seed, DType dtype = DType::f32);

  const ModelConfig& config() const { return config_; }
  void visit(const nn::Visitor& visitor, const std::string& prefix = {}) override;

  // The dtype of activations and of the matrices they meet: f32, bf16 or f16. Norms and biases stay wide.
  void set_compute_dtype(DType dtype);

  // Lays out block-quantised matrices for fast products, as Decoder::pack.
  void pack();
  DType compute_dtype() const { return compute_dtype_; }

  // The final states [B, T, C] of tokens (i32 [B, T]); `context` is ForwardContext::padded of the rows' lengths.
  // `types`: the segment of each token, i32 [B, T]; undefined: 0. Throws ShapeError for ids outside their tables,
  // positions past max_positions and contexts of another shape. Recorded
  // by the tape; context.checkpoint and context.dropout are those of training.
  Tensor hidden(const Tensor& tokens, const nn::ForwardContext& context, const Tensor& types = {}) const;
  // What the head makes of final states, wide (see EncoderHead::forward). Precondition: has_head().
  Tensor head(const Tensor& states, const nn::DropoutState& dropout = {}) const;
  // Of a masked language model: sum over places of weight * -log p(target), a wide scalar, for targets i32 [B, T] of
  // which negative ones are left out, and weights wide [B * T] or undefined (ops::linear_cross_entropy).
  Tensor loss(const Tensor& states, const Tensor& targets, const Tensor& weights) const;
  bool has_head() const { return head_.has_value(); }

  // Takes the tables of tokens, segments and positions of `other`, and the norm after them, in place of its own: both learn
  // the same ones. conflict where they are of other sizes, and nothing is changed.
  Result<void> share_embeddings(const Encoder& other);
  // The table of token embeddings, which a decoder beside this encoder may share.
  const std::shared_ptr<nn::Embedding>& shared_embedding() const { return embedding_; }

 private:
  explicit Encoder(const ModelConfig& config);
  void expect_inputs(const Tensor& tokens, const nn::ForwardContext& context, const Tensor& types) const;
  Tensor embed(const Tensor& tokens, const nn::ForwardContext& context, const Tensor& types) const;

  ModelConfig config_;
  DType compute_dtype_ = DType::f32;
  std::shared_ptr<nn::Embedding> embedding_;
  std::shared_ptr<nn::Embedding> token_type_;  // absent, as position_ and embedding_norm_, where it has none
  std::shared_ptr<nn::Embedding> position_;
  std::optional<nn::RelativePositions> relative_;
  std::optional<nn::Embedding> distances_;  // vectors of disentangled positions
  std::optional<nn::Norm> distance_norm_;
  std::shared_ptr<nn::Norm> embedding_norm_;
  std::optional<nn::Linear> embedding_projection_;
  std::vector<nn::Block> blocks_;
  std::optional<nn::Norm> final_norm_;  // absent in post-norm models
  std::optional<EncoderHead> head_;
};

}  // namespace quern::model
