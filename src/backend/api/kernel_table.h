// The kernel table: one function pointer per kernel, filled by each backend. A slot may be null, or may decline a
// call by returning false (dtype or shape it does not do): the dispatcher then uses the reference backend.
//
// Conventions, for every slot:
// * Tensors are dense and row-major; rows of `x` are `cols` elements apart unless a stride is given.
// * `dtype` is the dtype of activations (and of gradients with respect to activations): f32, bf16, f16, or f64 for
//   gradient checks. "wide" pointers are double when dtype is f64 and float otherwise: statistics, biases, norm
//   weights and gradients of parameters.
// * Arithmetic happens in at least f32 (f64 for f64) and results are rounded once, on store.
// * Kernels are called from one thread and may use OpenMP inside. They split work over outputs only, so results do
//   not depend on the number of threads. They never allocate through std containers in isa/ files, never throw, and
//   check nothing: ops/ has checked shapes.
// * B batch, T query time, S key time, C channels, H query heads, K key/value heads, D head dim, V vocabulary.
#pragma once

#include <cstdint>

#include "backend/api/kv_blocks.h"
#include "tensor/block_scales.h"
#include "tensor/dtype.h"

namespace quern::backend {

enum class Activation : uint8_t { identity, gelu_erf, gelu_tanh, silu, relu, sigmoid, tanh, relu_squared };

// C[m,n] = A[m,k]·B[k,n] (+ bias[n]) (+ C when accumulate). `a_transposed`: A is stored [k,m]; `b_transposed`: B is
// stored [n,k], as weights are. Products are summed in f32 (f64 for f64). A, B and C may differ in dtype.
struct GemmArgs {
  int64_t m, n, k;
  const void* a;
  DType a_dtype;
  bool a_transposed;
  const void* b;
  DType b_dtype;
  bool b_transposed;
  void* c;
  DType c_dtype;
  const void* bias;  // wide [n] or null
  bool accumulate;
};

// y[m,n] = x[m,k]·w[n,k]^T (+ bias[n]) in an order of summation that depends on k alone, never on m: a row's result
// does not depend on its batch mates. For inference.
struct LinearRowsArgs {
  int64_t m, n, k;
  const void* x;
  const void* w;
  const void* bias;  // wide [n] or null
  void* y;
  DType dtype;    // x and y
  DType w_dtype;  // f32, bf16, f16
};

// Lays out `rows` rows of `cols` elements of the block-quantised x as strips (tensor/strips.h).
struct PackStripsArgs {
  int64_t rows, cols;
  const void* x;
  DType x_dtype;
  void* strips;
  BlockScales scales = {};  // where they lie beside the blocks of x
};

// Products of one x with block-quantised matrices: y_p[m,n_p] = x[m,k]·w_p[n_p,k]^T (+ bias_p[n_p]). Rows of x are
// rounded to 8 bits, 32 columns to a scale, or 256 for types that share one among as many (rounded_columns in
// tensor/strips.h): scale = max |x| / 127, codes x / scale to nearest, ties to even. Products of codes are summed exactly
// within a scale's columns and in f32 over them in order of k, so that a row's result depends on nothing but that row. With `gated` there are two parts, gate and up, of one n: y_0 = act(gate)·up, and y_1 is unused.
struct BlockProduct {
  int64_t n;
  const void* w;
  DType w_dtype;
  bool strips;       // w is laid out by pack_strips; otherwise rows of blocks
  const void* bias;  // wide [n] or null
  void* y;
  BlockScales scales = {};  // where they lie beside rows of blocks
};
struct LinearBlocksArgs {
  int64_t m, k;  // k: a multiple of 32
  const void* x;
  DType dtype;  // x and y
  const BlockProduct* parts;
  int count;
  bool gated;
  Activation activation;
};

// y[r,c] = the value of element c of row r of the block-quantised x, in f32, and from there rounded to y_dtype. Rows are whole blocks (tensor/block_formats.h),
// without gaps. The value is the exact one of the formula beside each block's struct, rounded once, so that tables agree
// to the bit; a scale that is infinite or NaN gives what IEEE arithmetic makes of it.
struct DecodeRowsArgs {
  int64_t rows, cols;
  const void* x;
  DType x_dtype;
  void* y;
  DType y_dtype;            // f32, bf16, f16
  BlockScales scales = {};  // where they lie beside the blocks of x
};

// y[i] = w[ids[i]] for i in [0, count): rows of `cols` elements.
struct EmbeddingArgs {
  int64_t count, cols, vocab;
  const int32_t* ids;
  const void* w;
  DType w_dtype;
  void* y;
  DType dtype;
};
// dw[ids[i]] += dy[i], in order of i for each row, so that results do not depend on threads.
struct EmbeddingBackwardArgs {
  int64_t count, cols, vocab;
  const int32_t* ids;
  const void* dy;
  DType dtype;
  void* dw;  // wide [vocab, cols], accumulated into
};

enum class NormKind : uint8_t { layer, rms };
// y = (x - mean) * rstd * weight + bias (layer: Ba et al. 2016, arXiv 1607.06450) or y = x * rstd * weight (rms: Zhang
// and Sennrich 2019, arXiv 1910.07467; mean and bias unused). weight_offset is added to every weight (Gemma uses 1+w).
struct NormArgs {
  NormKind kind;
  int64_t rows, cols;
  const void* x;
  const void* weight;  // wide [cols] or null (ones)
  const void* bias;    // wide [cols] or null
  double weight_offset;
  double eps;
  void* y;
  void* mean;  // wide [rows] or null
  void* rstd;  // wide [rows] or null
  DType dtype;
};
struct NormBackwardArgs {
  NormKind kind;
  int64_t rows, cols;
  const void* x;
  const void* weight;
  double weight_offset;
  const void* mean;  // wide [rows]; null for rms
  const void* rstd;  // wide [rows]
  const void* dy;
  void* dx;       // dtype [rows, cols] or null
  void* dweight;  // wide [cols] or null, accumulated into
  void* dbias;    // wide [cols] or null, accumulated into
  DType dtype;
};

// y = act(x)
struct ActivationArgs {
  Activation kind;
  int64_t count;
  const void* x;
  void* y;
  DType dtype;
};
// dx = dy * act'(x)
struct ActivationBackwardArgs {
  Activation kind;
  int64_t count;
  const void* x;
  const void* dy;
  void* dx;
  DType dtype;
};
// y = act(gate) * up: SwiGLU with silu, GeGLU with gelu (Shazeer 2020, arXiv 2002.05202).
struct GatedArgs {
  Activation kind;
  int64_t count;
  const void* gate;
  const void* up;
  void* y;
  DType dtype;
};
struct GatedBackwardArgs {
  Activation kind;
  int64_t count;
  const void* gate;
  const void* up;
  const void* dy;
  void* dgate;
  void* dup;
  DType dtype;
};

// Rotates pairs of each head vector by the angle of its position: y = R(pos) x; `inverse` rotates back, which is the
// gradient. Pairs are (i, i + rotary/2) when `half_split` (GPT-NeoX, Hugging Face Llama), (2i, 2i+1) otherwise
// (RoFormer, arXiv 2104.09864). Channels at and beyond `rotary` pass unchanged. cos and sin hold f32
// [max_positions, rotary/2] (already scaled by YaRN's attention factor where there is one).
struct RopeArgs {
  int64_t rows, heads, head_dim, rotary;
  const int32_t* positions;  // [rows]
  const float* cos;
  const float* sin;
  bool half_split;
  bool inverse;
  const void* x;  // [rows, heads, head_dim]
  void* y;
  DType dtype;
};

// Attention that never builds T x S (Dao et al. 2022, arXiv 2205.14135): query row t of sequence b sees keys
// [begin[b*T+t], end[b*T+t]), which expresses causal, sliding-window, bidirectional and block-diagonal (packed)
// masks alike. An empty range gives a zero row. H = groups * K: query head h reads key head h / (H/K).
// score = scale * q·k; then softcap * tanh(score / softcap) when softcap > 0; then + slope[h] * (key - query
// position) when slopes are given (ALiBi, arXiv 2108.12409; query position = end - 1); then + bias; softmax; times v.
//
// With `blocks`, k and v are the blocks of a cache, in a dtype of its own; they are read as the f32 numbers they stand
// for. A row's result depends on its query and its keys alone: not on other rows, threads, or where blocks lie.
struct AttentionArgs {
  int64_t batch, queries, keys, heads, kv_heads, head_dim;
  const void* q;         // [B, T, H, D]
  const void* k;         // [B, S, K, D]
  const void* v;         // [B, S, K, D]
  const int32_t* begin;  // [B, T]
  const int32_t* end;    // [B, T]
  const float* slopes;   // [H] or null
  double scale;
  double softcap;
  void* y;                  // [B, T, H, D]
  void* lse;                // wide [B, H, T]: log-sum-exp of the scores, for backward; or null
  int64_t kv_batch_stride;  // elements between sequences of k and v: S*K*D when dense, more in a cache
  DType dtype;
  KvBlocks blocks = {};
  const void* bias = nullptr;     // wide [1 or B, H, T, bias_keys], or null
  int64_t bias_keys = 0;          // at least every `end`
  int64_t bias_batch_stride = 0;  // H*T*bias_keys, or 0 where sequences share it
};
// Puts k and v into the blocks of a cache, at positions [B, T] of their sequences. Q8_0: a scale is the largest
// magnitude of 32 channels / 127, rounded to f16; numbers are rounded to nearest even under the scale before rounding.
struct StoreKvArgs {
  int64_t batch, time, kv_heads, head_dim;
  const void* k;  // [B, T, K, D]
  const void* v;  // [B, T, K, D]
  const int32_t* positions;
  void* keys;
  void* values;
  KvBlocks blocks;
  DType dtype;
};
struct AttentionBackwardArgs {
  AttentionArgs forward;  // y and lse as forward left them
  const void* dy;         // [B, T, H, D]
  void* dq;               // [B, T, H, D]
  void* dk;               // [B, S, K, D], dense whatever kv_batch_stride
  void* dv;
  void* dbias = nullptr;  // wide [B, H, T, S], zeros before the call; or null
};

// Softmax cross-entropy of logits rows against targets, with the gradient written over the logits:
// loss[i] = lse(logits[i]) - logits[i][target]; logits[i] <- (softmax - onehot) * weight[i]. Rows whose target is
// negative are ignored: loss 0, gradient 0. `gradient` false leaves the logits alone.
struct CrossEntropyArgs {
  int64_t rows, vocab;
  void* logits;            // [rows, vocab]
  const int32_t* targets;  // [rows]
  const void* weight;      // wide [rows]: the factor of each row's gradient; null when !gradient
  void* loss;              // wide [rows]
  bool gradient;
  double softcap;  // logits are softcap * tanh(logits / softcap) when > 0 (Gemma 2)
  DType dtype;
};

enum class Binary : uint8_t { add, sub, mul };
// y = a op b, where b has the shape of a or, when b_count < count, repeats: b[i % b_count] (b_count divides count).
struct BinaryArgs {
  Binary kind;
  int64_t count, b_count;
  const void* a;
  const void* b;
  void* y;
  DType dtype;  // of a, b and y
};
// y = alpha * x + beta * y (beta 0 ignores what y held). x and y may have different float dtypes: with alpha 1 this is
// the cast. x may be y.
struct AxpbyArgs {
  int64_t count;
  double alpha, beta;
  const void* x;
  DType x_dtype;
  void* y;
  DType y_dtype;
};
// out[c] (+)= sum over rows of x[r][c], wide, rows in order.
struct SumRowsArgs {
  int64_t rows, cols;
  const void* x;
  void* out;  // wide [cols]
  bool accumulate;
  DType dtype;
};
// *out = sum of x, or of x*x when `squared`, in double, in an order fixed by `count` alone.
struct SumArgs {
  int64_t count;
  const void* x;
  bool squared;
  double* out;
  DType dtype;
};
// y = softmax over the last dimension of x.
struct SoftmaxArgs {
  int64_t rows, cols;
  const void* x;
  void* y;
  DType dtype;
};
struct SoftmaxBackwardArgs {
  int64_t rows, cols;
  const void* y;
  const void* dy;
  void* dx;
  DType dtype;
};
// y[i] = x[i] / (1-p) where the counter-based word of (seed, stream, i) keeps it, else 0. The backward pass is the same
// call on dy. Element i uses word i%4 of philox4x32 (base/rng.h) with counter {block, stream} and key {seed}, each as
// two 32-bit words, low first, and block = i/4: keep when word >= p * 2^32.
struct DropoutArgs {
  int64_t count;
  double p;
  uint64_t seed, stream;
  const void* x;
  void* y;
  DType dtype;
};
// AdamW with decoupled decay (Loshchilov and Hutter, arXiv 1711.05101), on f32 state:
//   w -= lr*decay*w;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²;  w -= lr * (m/c1) / (sqrt(v/c2) + eps)
// with g = grad * grad_scale and c1 = 1-b1^t, c2 = 1-b2^t. `shadow`, when given, receives w in bf16 or f16.
struct AdamWArgs {
  int64_t count;
  float* w;
  const float* grad;
  float* m;
  float* v;
  double lr, beta1, beta2, eps, decay, correction1, correction2, grad_scale;
  void* shadow;
  DType shadow_dtype;
};

struct KernelTable {
  const char* name;  // "reference", "scalar", "avx2", "avx512", ...
  bool (*gemm)(const GemmArgs&);
  bool (*linear_rows)(const LinearRowsArgs&);
  bool (*decode_rows)(const DecodeRowsArgs&);
  bool (*pack_strips)(const PackStripsArgs&);
  bool (*linear_blocks)(const LinearBlocksArgs&);
  bool (*embedding)(const EmbeddingArgs&);
  bool (*embedding_backward)(const EmbeddingBackwardArgs&);
  bool (*norm)(const NormArgs&);
  bool (*norm_backward)(const NormBackwardArgs&);
  bool (*activation)(const ActivationArgs&);
  bool (*activation_backward)(const ActivationBackwardArgs&);
  bool (*gated)(const GatedArgs&);
  bool (*gated_backward)(const GatedBackwardArgs&);
  bool (*rope)(const RopeArgs&);
  bool (*store_kv)(const StoreKvArgs&);
  bool (*attention)(const AttentionArgs&);
  bool (*attention_backward)(const AttentionBackwardArgs&);
  bool (*cross_entropy)(const CrossEntropyArgs&);
  bool (*binary)(const BinaryArgs&);
  bool (*axpby)(const AxpbyArgs&);
  bool (*sum_rows)(const SumRowsArgs&);
  bool (*sum)(const SumArgs&);
  bool (*softmax)(const SoftmaxArgs&);
  bool (*softmax_backward)(const SoftmaxBackwardArgs&);
  bool (*dropout)(const DropoutArgs&);
  bool (*adamw)(const AdamWArgs&);
};

}  // namespace quern::backend
