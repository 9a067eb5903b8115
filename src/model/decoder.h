// Decoder: the one model definition of Quern, for training and for serving, built from a ModelConfig.
#pragma once

#include <optional>
#include <vector>

#include "model/cache.h"
#include "nn/adapter.h"
#include "nn/block.h"
#include "nn/embedding.h"
#include "nn/relative_positions.h"
#include "ops/output_head.h"

namespace quern::model {

// Parameters are named embedding.weight, embedding_projection.weight, position.weight,
// blocks.<l>.{attention_norm,attention.{q,k,v,q_norm,k_norm,o},attention_post_norm,mlp_norm,
// mlp.{gate,up,down},mlp_post_norm}.{weight,bias}, in mixtures of experts mlp.{router,experts.<e>.{gate,up,down},
// shared.{gate,up,down},shared_gate} in place of mlp.{gate,up,down},
// final_norm.{weight,bias}, head_projection.weight, head.weight (absent when tied, and where the config scores()) and head.bias; with relative positions relative.weight; of
// decoders beside an encoder also embedding_norm.{weight,bias}, blocks.<l>.{cross_norm,cross_attention.{q,k,v,o}}, and the
// encoder has embedding.weight. Calls are for one thread at a time. A
// checkpointed or recorded forward refers to the model until its backward has run: the model must stay where
// it is.
class Decoder final : public nn::Module {
 public:
  // The structure without values: initialise or load before the first forward. Errors of config.validate().
  static Result<Decoder> create(const ModelConfig& config);
  // A model ready to train: weights drawn for (seed, parameter name), in `dtype` (f64 for gradient checks). conflict for a
  // config that scores().
  static Result<Decoder> create(const ModelConfig& config, uint64_t seed, DType dtype = DType::f32);

  // The structure of a decoder whose table of embeddings is `embedding`, which visit() leaves to its owner.
  static Result<Decoder> create(const ModelConfig& config, std::shared_ptr<nn::Embedding> embedding);

  const ModelConfig& config() const { return config_; }
  void visit(const nn::Visitor& visitor, const std::string& prefix = {}) override;

  // The dtype of activations and of the matrices they meet: f32, bf16 or f16 (f64 after an f64 create). Norms
  // and biases stay wide. nn::refresh_shadows(model) after each optimiser step that did not write the shadows
  // itself.
  void set_compute_dtype(DType dtype);
  DType compute_dtype() const { return compute_dtype_; }

  // Lays out block-quantised matrices for fast products (tensor/strips.h): about their bytes once more, in memory of
  // our own, where they lay in a mapped file. Results are the same bits without.
  void pack();

  // Takes the language head away: what is left makes states, for a score (ModelConfig::scoring).
  void drop_head();

  // What changes every pass whose context names no adapters; null: nothing.
  void set_adapter(std::shared_ptr<const nn::Adapter> adapter);
  // The ids that have to stand before every text: those of the virtual tokens of `adapter`, or of set_adapter()'s where it is
  // null.
  std::vector<int32_t> virtual_tokens(const nn::Adapter* adapter = nullptr) const;

  // The final normed states [B, T, config.embedding_size] of tokens (i32 [B, T]), virtual ones of the rows' adapters among
  // them. Throws ShapeError for ids outside the vocabulary, positions past max_positions, contexts of another shape, and
  // where there is no source for cross-attention.
  Tensor hidden(const Tensor& tokens, const nn::ForwardContext& context) const;
  // The embeddings of ids (i32 of any shape) as they enter the model: [..., config.embedding_size] in `dtype`.
  Tensor embeddings(const Tensor& ids, DType dtype) const;
  // What cross-attention reads of an encoder's states [B, S, C], of which lengths[b] are text. Precondition: the config
  // has cross_attention.
  std::shared_ptr<const nn::Source> source(const Tensor& states, std::vector<int64_t> lengths) const;
  // Those of a pass, as it names them, or set_adapter()'s where it names none. Heads know them, too: adapters may have rows of
  // their own there.
  using Adapters = std::span<const nn::AdapterRows>;
  // Logits [..., V] of states, soft-capped where the config says so; f32 for 16-bit states. For
  // generation and scoring of chosen rows: training uses loss(), which never holds [B, T, V]. `adapters` count the rows of
  // these states.
  Tensor logits(const Tensor& states, Adapters adapters = {}) const;
  // What makes logits, for losses that are none of those below. Its tensors take gradients as those of the model and the
  // adapter do. Adapters of losses are of all rows, or of none.
  ops::OutputHead output_head(Adapters adapters = {}) const;
  // Sum over rows of weights[i] * cross-entropy(logits(states)[i], targets[i]): a wide scalar, recorded by
  // the tape. targets: i32, one per row of states, negative to ignore; weights: wide, one per row, or
  // undefined for ones.
  Tensor loss(const Tensor& states, const Tensor& targets, const Tensor& weights,
              Adapters adapters = {}) const;

  // wide [N]: the cross-entropy of each of the N rows of states, 0 where the target is negative; recorded by the tape.
  // The negative is the log-probability of the target: what objectives over whole answers are made of.
  Tensor row_losses(const Tensor& states, const Tensor& targets, Adapters adapters = {}) const;

  // What keys and values of caches are kept in: default_cache_dtype of the compute dtype unless set. Throws ShapeError on
  // a dtype that check_cache_dtype refuses.
  void set_cache_dtype(DType dtype);
  DType cache_dtype() const { return cache_dtype_.value_or(default_cache_dtype(compute_dtype_)); }
  nn::ContiguousKvCache make_cache(const CacheSize& size) const;
  // Whether shift_cache can be: not with learned positions, which are in more than the keys.
  bool can_shift_cache() const { return config_.positions != Positions::learned; }
  // Forgets tokens [begin, end) of sequence b; keys of those after them are turned back to their new positions. An
  // approximation, see ContiguousKvCache::drop. Keys that turn as those of a text of another length than what is left
  // (ops::rope_length) stay so. Throws ShapeError where it cannot be.
  void shift_cache(nn::ContiguousKvCache& cache, int64_t b, int64_t begin, int64_t end) const;

 private:
  Decoder(const ModelConfig& config, std::shared_ptr<nn::Embedding> embedding);
  const std::shared_ptr<nn::Rotary>& rotary_of(int64_t layer) const;  // null where nothing turns
  void expect_head() const;
  Adapters or_own(Adapters adapters) const {
    return adapter_ && adapters.empty() ? Adapters(&everywhere_, 1) : adapters;
  }
  void expect_inputs(const Tensor& tokens, const nn::ForwardContext& context) const;
  Tensor head_bias() const { return head_bias_ ? head_bias_->value() : Tensor(); }
  const nn::Parameter& head() const { return head_ ? head_->weight() : embedding_->weight(); }

  ModelConfig config_;
  DType compute_dtype_ = DType::f32;
  std::optional<DType> cache_dtype_;
  std::shared_ptr<const nn::Adapter> adapter_;
  nn::AdapterRows everywhere_;  // of adapter_
  std::shared_ptr<nn::Embedding> embedding_;
  bool owns_embedding_;
  std::optional<nn::Linear> embedding_projection_, head_projection_;  // around blocks wider than embeddings
  std::optional<nn::Embedding> position_;
  std::optional<nn::RelativePositions> relative_;
  std::optional<nn::Norm> embedding_norm_;
  std::shared_ptr<nn::Rotary> rotary_;
  std::shared_ptr<nn::Rotary> local_rotary_;  // of layers with a window that turn at their own rate
  std::vector<nn::Block> blocks_;
  std::optional<nn::Norm> final_norm_;  // absent in post-norm models
  std::optional<nn::Linear> head_;
  std::optional<nn::Parameter> head_bias_;
};

}  // namespace quern::model
