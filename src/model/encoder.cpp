#include "model/encoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/block_spec.h"
#include "nn/dropout.h"
#include "nn/run_block.h"
#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/scale.h"

namespace quern::model {

Encoder::Encoder(const ModelConfig& config)
    : config_(config.resolved()),
      embedding_(
          std::make_shared<nn::Embedding>(config_.vocab_size, config_.embedding_size, config_.init_std)),
      relative_(relative_positions(config_)) {
  const ModelConfig& c = config_;
  if (c.token_types > 0)
    token_type_ = std::make_shared<nn::Embedding>(c.token_types, c.embedding_size, c.init_std);
  if (c.has_learned_positions())
    position_ =
        std::make_shared<nn::Embedding>(c.max_positions + c.position_offset, c.embedding_size, c.init_std);
  if (c.positions == Positions::disentangled) {
    distances_.emplace(2 * c.relative_buckets, c.hidden, c.init_std);
    if (c.relative_norm) distance_norm_.emplace(c.hidden, norm_spec(c));
  }
  if (c.embedding_norm) embedding_norm_ = std::make_shared<nn::Norm>(c.embedding_size, norm_spec(c));
  if (c.embedding_size != c.hidden)
    embedding_projection_.emplace(c.embedding_size, c.hidden, true, c.init_std);
  blocks_.reserve(static_cast<size_t>(c.distinct_layers));
  for (int64_t block = 0; block < c.distinct_layers; ++block)
    blocks_.emplace_back(block_spec(c, block), nullptr);
  if (c.layout != nn::BlockLayout::post_norm) final_norm_.emplace(c.hidden, norm_spec(c));
  if (c.head != Head::none || c.head_activation != ops::Activation::identity) head_.emplace(c);
}

Result<Encoder> Encoder::create(const ModelConfig& config) {
  QUERN_CHECK(check_kind(config, Kind::encoder));
  QUERN_CHECK(config.validate());
  return Encoder(config);
}

Result<Encoder> Encoder::create(const ModelConfig& config, uint64_t seed, DType dtype) {
  QUERN_TRY(Encoder model, create(config));
  nn::initialise(model, seed, dtype);
  model.set_compute_dtype(dtype);
  return model;
}

void Encoder::visit(const nn::Visitor& visitor, const std::string& prefix) {
  embedding_->visit(visitor, prefix + "embedding.");
  if (token_type_) token_type_->visit(visitor, prefix + "token_type.");
  if (position_) position_->visit(visitor, prefix + "position.");
  if (relative_) relative_->visit(visitor, prefix + "relative.");
  if (distances_) distances_->visit(visitor, prefix + "distances.");
  if (distance_norm_) distance_norm_->visit(visitor, prefix + "distance_norm.");
  if (embedding_norm_) embedding_norm_->visit(visitor, prefix + "embedding_norm.");
  if (embedding_projection_) embedding_projection_->visit(visitor, prefix + "embedding_projection.");
  for (size_t block = 0; block < blocks_.size(); ++block) {
    blocks_[block].visit(visitor, prefix + "blocks." + std::to_string(block) + ".");
  }
  if (final_norm_) final_norm_->visit(visitor, prefix + "final_norm.");
  if (head_) head_->visit(visitor, prefix);
}

Result<void> Encoder::share_embeddings(const Encoder& other) {
  const ModelConfig &a = config_, &b = other.config_;
  const bool same = a.vocab_size == b.vocab_size && a.embedding_size == b.embedding_size &&
                    a.token_types == b.token_types &&
                    a.has_learned_positions() == b.has_learned_positions() &&
                    a.max_positions == b.max_positions && a.position_offset == b.position_offset &&
                    a.embedding_norm == b.embedding_norm;
  if (!same) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("embeddings of other sizes are not shared: {} tokens, {} wide, {} positions, "
                    "and {}, {}, {}",
                    a.vocab_size, a.embedding_size, a.max_positions, b.vocab_size, b.embedding_size,
                    b.max_positions));
  }
  embedding_ = other.embedding_;
  token_type_ = other.token_type_;
  position_ = other.position_;
  embedding_norm_ = other.embedding_norm_;
  return {};
}

void Encoder::set_compute_dtype(DType dtype) {
  compute_dtype_ = dtype;
  nn::set_compute_dtype(*this, dtype);
}

void Encoder::pack() {
  for (nn::Block& block : blocks_) {
    block.visit([](const std::string&, nn::Parameter& parameter) {
      if (parameter.is_matrix()) parameter.pack();
    });
  }
}

void Encoder::expect_inputs(const Tensor& tokens, const nn::ForwardContext& context,
                            const Tensor& types) const {
  if (tokens.dtype() != DType::i32 || tokens.shape().rank() != 2) {
    throw ShapeError("[encoder] expected tokens i32[B, T], got " + tokens.describe());
  }
  for (const Tensor* tensor : {&context.positions, &context.mask.begin, &context.mask.end, &types}) {
    if (!tensor->defined() && tensor == &types) continue;
    if (tensor->dtype() != DType::i32 || tensor->shape() != tokens.shape()) {
      throw ShapeError("[encoder] expected i32" + tokens.shape().to_string() + " beside the tokens, got " +
                       tensor->describe());
    }
  }
  const auto positions = context.positions.span<int32_t>();
  const int32_t last = positions.empty() ? 0 : *std::ranges::max_element(positions);
  if (last >= config_.max_positions) {
    throw ShapeError("[encoder] expected positions below max_positions " +
                     std::to_string(config_.max_positions) + ", got " + std::to_string(last));
  }
}

Tensor Encoder::embed(const Tensor& tokens, const nn::ForwardContext& context, const Tensor& types) const {
  Tensor x = embedding_->forward(tokens, compute_dtype_);
  if (config_.embedding_scale != 1.0) x = ops::scale(x, config_.embedding_scale);
  if (token_type_) {
    const Tensor segments = types.defined() ? types : Tensor::zeros(tokens.shape(), DType::i32);
    x = ops::add(x, token_type_->forward(segments, compute_dtype_));
  }
  if (position_)
    x = ops::add(x, position_->forward(position_rows(config_, context.positions), compute_dtype_));
  if (embedding_norm_) x = embedding_norm_->forward(x);
  x = nn::dropout(x, config_.dropout, context.dropout, 0);
  return embedding_projection_ ? embedding_projection_->forward(x, context) : x;
}

Tensor Encoder::hidden(const Tensor& tokens, const nn::ForwardContext& context, const Tensor& types) const {
  expect_inputs(tokens, context, types);
  Tensor x = embed(tokens, context, types);
  nn::ForwardContext inside = context;
  if (relative_) inside.bias = relative_->bias(context.positions, tokens.dim(1), wide_of(compute_dtype_));
  if (distances_) {
    inside.distances = ops::cast(distances_->weight().value(), compute_dtype_);
    if (distance_norm_) inside.distances = distance_norm_->forward(inside.distances);
  }
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    const nn::Block& block = blocks_[static_cast<size_t>(config_.block_of(layer))];
    // Layers that share a block drop other elements.
    inside.dropout.seed = context.dropout.seed ^ static_cast<uint64_t>(layer - config_.block_of(layer)) << 32;
    x = nn::run_block(block, layer, x, inside);
  }
  return final_norm_ ? final_norm_->forward(x) : x;
}

Tensor Encoder::head(const Tensor& states, const nn::DropoutState& dropout) const {
  return head_->forward(states, embedding_->weight(), dropout);
}

Tensor Encoder::loss(const Tensor& states, const Tensor& targets, const Tensor& weights) const {
  return head_->loss(states, embedding_->weight(), targets, weights);
}

}  // namespace quern::model
