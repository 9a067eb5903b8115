// Scaled dot-product attention that never builds T x S (Dao et al. 2022, FlashAttention, arXiv 2205.14135).
#pragma once

#include "tensor/tensor.h"

namespace quern::ops {

// Query t of sequence b sees keys [begin[b, t], end[b, t]): i32 [B, T] each. An empty range gives a row of
// zeros.
struct AttentionMask {
  Tensor begin;
  Tensor end;
};

struct CausalMaskOptions {
  int64_t past = 0;    // keys that precede the first query (a cache)
  int64_t window = 0;  // keys a query sees at most, itself included; 0 = all
  Tensor document_starts =
      {};  // i32 [B, T]: the key at which the document of each query begins; undefined = 0
};
// Query t sees itself and what precedes it: keys up to past + t. Throws ShapeError.
AttentionMask causal_mask(int64_t batch, int64_t queries, const CausalMaskOptions& options = {});
// Every query sees every key: encoders and cross-attention.
AttentionMask full_mask(int64_t batch, int64_t queries, int64_t keys);

// ALiBi's slope of each head, f32 [H]: 2^-(max_bias h / H) for h = 1 to H (Press et al. 2022, arXiv 2108.12409; heads
// that are no power of two take the odd slopes of the next one, as its authors' code does).
Tensor alibi_slopes(int64_t heads, double max_bias = 8.0);

struct AttentionOptions {
  double scale = 0.0;    // of q·k; 0 = 1/sqrt(D)
  double softcap = 0.0;  // scores become softcap * tanh(score / softcap) when > 0 (Gemma 2)
  Tensor slopes = {};    // f32 [H] or undefined: score += slope * (key - query position); no gradient
  // Wide [1 or B, H, T, S] or undefined: added last, neither scaled nor capped (T5's relative positions). Over a
  // cache, S is at least every end of the mask. Differentiable.
  Tensor bias = {};
};

// The scale in force for heads of `head_dim` channels.
double attention_scale(const AttentionOptions& options, int64_t head_dim);
// Elements from one sequence's bias to the next: 0 where they share it, or there is none.
int64_t bias_batch_stride(const Tensor& bias);
// Throws ShapeError unless the options' tensors fit queries q [B, T, H, D], and a bias has `keys` keys.
void check_options(const AttentionOptions& options, const Tensor& q, int64_t keys);
// Throws ShapeError unless the mask has this shape, [B, T], and stays within [0, keys].
void check_mask(const AttentionMask& mask, const Shape& shape, int64_t keys);

// y[B, T, H, D] = softmax(scale q·k over the keys the mask shows) · v, with q [B, T, H, D] and k, v [B, S, K,
// D] where K divides H (query head h reads key head h / (H/K)). One dtype. Throws ShapeError, also for a mask
// that leaves [0, S]. Differentiable in q, k, v and the bias.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionMask& mask,
                 const AttentionOptions& options = {});

}  // namespace quern::ops
