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
  int64_t values = norms * c.hidden;                    // what a norm reads, or what follows it does
  values += q + 2 * kv;                                 // what attention reads
  if (c.qkv_clip > 0.0) values += q + 2 * kv;           // what is limited
  if (c.qk_norm != nn::QkNorm::none) values += q + kv;  // what norms of queries and keys read
  values += q;                                          // attention
  const int64_t inner = c.gated_mlp ? 3 : 2;
  if (c.has_experts(layer)) {
    values += c.experts_per_token * (inner * c.expert_intermediate + c.hidden);  // experts and their rows
    if (c.shared_intermediate > 0) values += inner * c.shared_intermediate;
  } else {
    values += inner * c.intermediate;  // MLP
  }
  values += (c.layout == nn::BlockLayout::parallel ? 1 : 2) * c.hidden;  // the residual stream
  const int64_t per_norm = c.norm == ops::NormKind::layer ? 2 : 1;
  int64_t statistics = norms * per_norm + c.heads;  // log-sum-exp per head
  if (c.qk_norm == nn::QkNorm::head) statistics += (c.heads + c.kv_heads) * per_norm;
  if (c.qk_norm == nn::QkNorm::whole) statistics += 2 * per_norm;
  if (c.window_of(layer) > 0) statistics += 1;  // a narrowed mask
  if (c.has_experts(layer)) {
    statistics += c.experts_per_token * (c.hidden + 2);         // what is mixed, whose it is
    statistics += (c.renormalise_experts ? 1 : 3) * c.experts;  // weights
    if (c.shared_intermediate > 0) statistics += c.hidden + 2;
  }
  return values * size + statistics * kStatisticBytes;
}

// Bytes per token before and after the blocks: model/decoder.cpp, op by op. The loss keeps the gradient of the states in
// place of the states.
int64_t outside_bytes(const model::ModelConfig& c, int64_t size) {
  const bool narrows = c.embedding_size != c.hidden, final_norm = c.layout != nn::BlockLayout::post_norm;
  int64_t values = c.hidden;                        // what the first block reads
  values += c.embedding_size;                       // gradient of the loss
  if (narrows) values += c.embedding_size;          // what is widened
  if (narrows && final_norm) values += c.hidden;    // what is narrowed
  if (!narrows && !final_norm) values -= c.hidden;  // what the last norm makes is read by the loss alone
  int64_t statistics = 4;                           // ids, positions, mask
  if (final_norm) statistics += c.norm == ops::NormKind::layer ? 2 : 1;
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
