#include "model/decoder.h"

#include <algorithm>
#include <numeric>

#include "model/block_spec.h"
#include "model/flops.h"
#include "nn/dropout.h"
#include "nn/run_block.h"
#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/linear.h"
#include "ops/linear_cross_entropy.h"
#include "ops/reshape.h"
#include "ops/scale.h"
#include "ops/softcap.h"

namespace quern::model {

namespace {

ops::RopeConfig local_rope(const ModelConfig& c) {
  return {.theta = c.local_rope_theta,
          .rotary = c.rope.rotary,
          .max_positions = c.max_positions,
          .half_split = c.rope.half_split};
}

}  // namespace

Decoder::Decoder(const ModelConfig& config, std::shared_ptr<nn::Embedding> embedding)
    : config_(config.resolved()),
      embedding_(std::move(embedding)),
      owns_embedding_(embedding_ == nullptr),
      relative_(relative_positions(config_)) {
  const ModelConfig& c = config_;
  if (owns_embedding_)
    embedding_ = std::make_shared<nn::Embedding>(c.vocab_size, c.embedding_size, c.init_std);
  if (c.embedding_size != c.hidden) {
    embedding_projection_.emplace(c.embedding_size, c.hidden, false, c.init_std);
    head_projection_.emplace(c.hidden, c.embedding_size, false, c.init_std);
  }
  if (c.embedding_norm) embedding_norm_.emplace(c.hidden, norm_spec(c));
  if (c.positions == Positions::learned)
    position_.emplace(c.max_positions + c.position_offset, c.hidden, c.init_std);
  if (c.positions == Positions::rope) rotary_ = std::make_shared<nn::Rotary>(c.rope);
  if (c.local_rope_theta > 0.0) local_rotary_ = std::make_shared<nn::Rotary>(local_rope(c));
  blocks_.reserve(static_cast<size_t>(c.layers));
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    blocks_.emplace_back(block_spec(c, layer), rotary_of(layer));
  }
  if (c.layout != nn::BlockLayout::post_norm) final_norm_.emplace(c.hidden, norm_spec(c));
  if (!c.tied_embeddings) head_.emplace(c.embedding_size, c.vocab_size, false, c.init_std);
  if (c.head_bias) head_bias_.emplace(Shape{c.vocab_size}, nn::Init{});
}

Result<Decoder> Decoder::create(const ModelConfig& config) { return create(config, nullptr); }

Result<Decoder> Decoder::create(const ModelConfig& config, std::shared_ptr<nn::Embedding> embedding) {
  QUERN_CHECK(check_kind(config, Kind::decoder));
  QUERN_CHECK(config.validate());
  return Decoder(config, std::move(embedding));
}

Result<Decoder> Decoder::create(const ModelConfig& config, uint64_t seed, DType dtype) {
  QUERN_CHECK(check_writes(config));
  QUERN_TRY(Decoder model, create(config));
  nn::initialise(model, seed, dtype);
  model.compute_dtype_ = dtype;
  return model;
}

void Decoder::visit(const nn::Visitor& visitor, const std::string& prefix) {
  if (owns_embedding_) embedding_->visit(visitor, prefix + "embedding.");
  if (embedding_projection_) embedding_projection_->visit(visitor, prefix + "embedding_projection.");
  if (position_) position_->visit(visitor, prefix + "position.");
  if (relative_) relative_->visit(visitor, prefix + "relative.");
  if (embedding_norm_) embedding_norm_->visit(visitor, prefix + "embedding_norm.");
  for (size_t layer = 0; layer < blocks_.size(); ++layer) {
    blocks_[layer].visit(visitor, prefix + "blocks." + std::to_string(layer) + ".");
  }
  if (final_norm_) final_norm_->visit(visitor, prefix + "final_norm.");
  if (head_projection_) head_projection_->visit(visitor, prefix + "head_projection.");
  if (head_) head_->visit(visitor, prefix + "head.");
  if (head_bias_) visitor(prefix + "head.bias", *head_bias_);
}

void Decoder::set_compute_dtype(DType dtype) {
  compute_dtype_ = dtype;
  nn::set_compute_dtype(*this, dtype);
}

void Decoder::pack() {
  visit([&](const std::string& name, nn::Parameter& parameter) {
    if (parameter.is_matrix() && in_product(*this, name, parameter)) parameter.pack();
  });
}

void Decoder::drop_head() {
  head_.reset();
  head_bias_.reset();
  config_ = config_.scoring();
}

void Decoder::expect_head() const {
  if (config_.scores()) throw ShapeError("[decoder] expected a language head, and there is none");
}

void Decoder::expect_inputs(const Tensor& tokens, const nn::ForwardContext& context) const {
  if (tokens.dtype() != DType::i32 || tokens.shape().rank() != 2) {
    throw ShapeError("[decoder] expected tokens i32[B, T], got " + tokens.describe());
  }
  for (const Tensor* tensor : {&context.positions, &context.mask.begin, &context.mask.end}) {
    if (tensor->dtype() != DType::i32 || tensor->shape() != tokens.shape()) {
      throw ShapeError("[decoder] expected a context of i32" + tokens.shape().to_string() + ", got " +
                       tensor->describe());
    }
  }
  if (config_.cross_attention && !context.source)
    throw ShapeError("[decoder] expected a source to attend over, got none");
  const auto positions = context.positions.span<int32_t>();
  const auto [first, last] =
      positions.empty() ? std::ranges::min_max_result<int32_t>{0, 0} : std::ranges::minmax(positions);
  if (last >= config_.max_positions) {
    throw ShapeError("[decoder] expected positions below max_positions " +
                     std::to_string(config_.max_positions) + ", got " + std::to_string(last));
  }
  for (const auto& rotary : {rotary_, local_rotary_}) {
    if (rotary) rotary->reserve(first, last + 1, nn::text_length(context));
  }
}

void Decoder::set_adapter(std::shared_ptr<const nn::Adapter> adapter) {
  adapter_ = std::move(adapter);
  everywhere_ = {adapter_.get()};
}

std::vector<int32_t> Decoder::virtual_tokens(const nn::Adapter* adapter) const {
  if (adapter == nullptr) adapter = adapter_.get();
  std::vector<int32_t> ids(adapter == nullptr ? 0 : static_cast<size_t>(adapter->virtual_tokens()));
  std::iota(ids.begin(), ids.end(), static_cast<int32_t>(config_.vocab_size));
  return ids;
}

Tensor Decoder::embeddings(const Tensor& ids, DType dtype) const {
  const Tensor x = embedding_->forward(ids, dtype);
  return config_.embedding_scale == 1.0 ? x : ops::scale(x, config_.embedding_scale);
}

Tensor Decoder::hidden(const Tensor& tokens, const nn::ForwardContext& context) const {
  expect_inputs(tokens, context);
  nn::ForwardContext inside = context;
  inside.adapters = or_own(context.adapters);
  const Tensor text = nn::take_virtual_tokens(tokens, config_.vocab_size, inside);
  Tensor x = nn::with_own_embeddings(embeddings(text, compute_dtype_), text, config_.embedding_scale, inside);
  if (context.embedding_noise.defined()) x = ops::add(x, ops::cast(context.embedding_noise, x.dtype()));
  x = nn::with_virtual_embeddings(x, inside);
  if (embedding_projection_) x = embedding_projection_->forward(x, context);
  if (position_)
    x = ops::add(x, position_->forward(position_rows(config_, context.positions), compute_dtype_));
  if (embedding_norm_) x = embedding_norm_->forward(x);
  x = nn::dropout(x, config_.dropout, context.dropout, 0);
  if (relative_) {
    const auto ends = context.mask.end.span<int32_t>();
    const int64_t keys = context.cache ? *std::ranges::max_element(ends) : tokens.dim(1);
    inside.bias = relative_->bias(context.positions, keys, wide_of(compute_dtype_));
  }
  for (size_t layer = 0; layer < blocks_.size(); ++layer)
    x = nn::run_block(blocks_[layer], static_cast<int64_t>(layer), x, inside);
  if (final_norm_) x = final_norm_->forward(x);
  if (head_projection_) x = head_projection_->forward(x, context);
  return config_.final_state_scale == 1.0 ? x : ops::scale(x, config_.final_state_scale);
}

std::shared_ptr<const nn::Source> Decoder::source(const Tensor& states, std::vector<int64_t> lengths) const {
  nn::Source source{.layers = {}, .lengths = std::move(lengths)};
  for (const nn::Block& block : blocks_) source.layers.push_back(block.source_keys(states, {}));
  return std::make_shared<const nn::Source>(std::move(source));
}

Tensor Decoder::logits(const Tensor& states, Adapters adapters) const {
  expect_head();
  const ops::LinearMap map{head().value(), head_bias(), head().strips()};
  const Tensor wide = ops::cast(states, wide_of(states.dtype()));
  const Tensor logits = ops::linear_group(wide, std::span(&map, 1)).front();
  const int64_t rows = states.shape().rows();
  nn::put_own_logits(wide.reshaped({rows, wide.dim(-1)}), head_bias(), or_own(adapters),
                     logits.reshaped({rows, logits.dim(-1)}));
  return config_.logit_softcap > 0.0 ? ops::softcap(logits, config_.logit_softcap) : logits;
}

ops::OutputHead Decoder::output_head(Adapters adapters) const {
  expect_head();
  ops::OutputHead head{this->head().value(), head_bias(), config_.logit_softcap};
  if (const nn::TokenRows* own = nn::head_rows(or_own(adapters)))
    head.replaced = {own->ids(), own->rows().value()};
  return head;
}

Tensor Decoder::loss(const Tensor& states, const Tensor& targets, const Tensor& weights,
                     Adapters adapters) const {
  const int64_t rows = states.shape().rows();
  const ops::OutputHead head = output_head(adapters);
  return ops::linear_cross_entropy(ops::reshape(states, {rows, states.dim(-1)}), head.weight,
                                   targets.reshaped({rows}),
                                   {.weights = weights.defined() ? weights.reshaped({rows}) : Tensor(),
                                    .bias = head.bias,
                                    .softcap = head.softcap,
                                    .replaced = head.replaced});
}

Tensor Decoder::row_losses(const Tensor& states, const Tensor& targets, Adapters adapters) const {
  const int64_t rows = states.shape().rows();
  const ops::OutputHead head = output_head(adapters);
  return ops::linear_row_losses(ops::reshape(states, {rows, states.dim(-1)}), head.weight,
                                targets.reshaped({rows}),
                                {.bias = head.bias, .softcap = head.softcap, .replaced = head.replaced});
}

void Decoder::set_cache_dtype(DType dtype) {
  if (const Result<void> possible = check_cache_dtype(config_, dtype); !possible.ok())
    throw ShapeError("[cache] " + possible.error().message);
  cache_dtype_ = dtype;
}

nn::ContiguousKvCache Decoder::make_cache(const CacheSize& size) const {
  return nn::ContiguousKvCache(cache_spec(config_, size, cache_dtype()));
}

const std::shared_ptr<nn::Rotary>& Decoder::rotary_of(int64_t layer) const {
  static const std::shared_ptr<nn::Rotary> none;
  if (!config_.rotates(layer)) return none;
  return local_rotary_ && config_.window_of(layer) > 0 ? local_rotary_ : rotary_;
}

void Decoder::shift_cache(nn::ContiguousKvCache& cache, int64_t b, int64_t begin, int64_t end) const {
  if (!can_shift_cache()) throw ShapeError("[shift_cache] expected positions that are not learned");
  const int64_t distance = end - begin, rest = cache.length(b) - distance;
  cache.drop(b, begin, end, [&](int64_t layer, const Tensor& keys) {
    const auto& rotary = rotary_of(layer);
    return rotary ? rotary->turned_back(keys, distance, rest) : keys;
  });
}

}  // namespace quern::model
