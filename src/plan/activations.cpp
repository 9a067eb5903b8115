#include "plan/activations.h"

#include <algorithm>

#include "ops/linear_cross_entropy.h"

namespace quern::plan {

namespace {

constexpr int64_t kStatisticBytes = 4;  // statistics, masks and positions: f32 and i32

int64_t norms_of(nn::BlockLayout layout) {
  if (layout == nn::BlockLayout::parallel) return 1;
  return layout == nn::BlockLayout::sandwich ? 4 : 2;
}

// Bytes per token of one block: nn/block.cpp, op by op.
int64_t block_bytes(const model::ModelConfig& c, int64_t layer, int64_t size) {
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  const int64_t norms = norms_of(c.layout);
  int64_t values = norms * c.hidden;                    // norm
  values += q + 2 * kv;                                 // projections
  if (c.qkv_clip > 0.0) values += q + 2 * kv;           // limited
  if (c.qk_norm != nn::QkNorm::none) values += q + kv;  // norms of queries and keys
  if (c.rotates(layer)) values += q + kv;               // rotation
  values += q + c.hidden;                               // attention, its output projection
  const int64_t inner = c.gated_mlp ? 3 : 2;
  if (c.has_experts(layer)) {
    values += c.experts_per_token * (inner * c.expert_intermediate + 2 * c.hidden) +
              c.hidden;  // experts, their sum
    if (c.shared_intermediate > 0) values += inner * c.shared_intermediate + 3 * c.hidden;
  } else {
    values += inner * c.intermediate + c.hidden;  // MLP
  }
  values += 2 * c.hidden;                       // both additions to the residual stream
  if (c.dropout > 0.0) values += 2 * c.hidden;  // dropout of both branches
  const int64_t per_norm = c.norm == ops::NormKind::layer ? 2 : 1;
  int64_t statistics = norms * per_norm + c.heads;  // log-sum-exp per head
  if (c.qk_norm == nn::QkNorm::head) statistics += (c.heads + c.kv_heads) * per_norm;
  if (c.qk_norm == nn::QkNorm::whole) statistics += 2 * per_norm;
  if (c.window_of(layer) > 0) statistics += 1;  // a narrowed mask
  return values * size + statistics * kStatisticBytes;
}

// Bytes per token before and after the blocks: model/decoder.cpp, op by op.
int64_t outside_bytes(const model::ModelConfig& c, int64_t size) {
  int64_t values = c.embedding_size;                                        // token embeddings
  if (c.embedding_scale != 1.0) values += c.embedding_size;                 // scaled
  if (c.embedding_size != c.hidden) values += c.hidden + c.embedding_size;  // widened, states narrowed
  if (c.positions == model::Positions::learned) values += 2 * c.hidden;     // position embeddings, their sum
  if (c.dropout > 0.0) values += c.hidden;                                  // dropout
  int64_t statistics = 4 + 4;  // ids, positions, mask; targets, weights, losses and their product
  if (c.layout != nn::BlockLayout::post_norm) {
    values += c.hidden;  // final norm
    statistics += c.norm == ops::NormKind::layer ? 2 : 1;
  }
  values += c.embedding_size;  // gradient of the loss
  return values * size + statistics * kStatisticBytes;
}

// ops/linear_cross_entropy.cpp: a chunk of wide logits, and its copy in the dtype of the model when narrower.
int64_t logits_bytes(const model::ModelConfig& c, int64_t tokens, int64_t size) {
  const int64_t rows = std::min(
      tokens, std::max(ops::kFewestLogitRows, ops::kLogitChunkBytes / (c.vocab_size * kStatisticBytes)));
  return rows * c.vocab_size * (kStatisticBytes + (size < kStatisticBytes ? size : 0));
}

}  // namespace

int64_t ActivationMemory::peak(bool checkpointing) const {
  return kept(checkpointing) + std::max(logits, checkpointing ? block : block_output);
}

ActivationMemory activation_memory(const model::ModelConfig& config, int64_t batch, int64_t sequence,
                                   DType dtype) {
  const model::ModelConfig c = config.resolved();
  const int64_t tokens = batch * sequence, size = size_of(dtype);
  int64_t largest = 0, all = 0;
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const int64_t bytes = tokens * block_bytes(c, layer, size);
    largest = std::max(largest, bytes);
    all += bytes;
  }
  return {.layers = c.layers,
          .block = largest,
          .blocks = all,
          .block_output = tokens * c.hidden * size,
          .outside = tokens * outside_bytes(c, size),
          .logits = logits_bytes(c, tokens, size)};
}

}  // namespace quern::plan
