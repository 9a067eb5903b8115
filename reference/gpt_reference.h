// GPT-2 in plain loops: the readable truth that the engine is tested against. Includes nothing of the
// project.
//
// One alphabet: B sequences of T tokens, C channels, H heads of D = C / H, L layers, V words. A tensor is a
// std::vector<float>, row-major, its shape in a comment beside it; the loops keep their sums in double.
// Not thread-safe, not fast: read gpt_reference.cpp from top to bottom.
#pragma once

#include <string>
#include <vector>

namespace gpt_reference {

struct Config {
  int V = 0;  // words
  int N = 0;  // positions: the longest T
  int C = 0;  // channels
  int H = 0;  // heads
  int L = 0;  // layers
  double eps = 1e-5;
};

using Buffer = std::vector<float>;

// One layer. Linear weights are [in, out] (y = x W + b), as GPT-2 was published.
struct Block {
  Buffer ln1_w, ln1_b;    // [C]
  Buffer qkv_w, qkv_b;    // [C, 3C], [3C]: queries, keys, values side by side, each H heads of D
  Buffer proj_w, proj_b;  // [C, C], [C]
  Buffer ln2_w, ln2_b;    // [C]
  Buffer fc_w, fc_b;      // [C, 4C], [4C]
  Buffer out_w, out_b;    // [4C, C], [C]
};

struct Parameter {
  std::string name;  // as transformers calls it: "transformer.h.0.attn.c_attn.weight"
  Buffer* values;
  bool is_matrix;  // only these decay
};

// The weights, or anything of their shape: gradients, the moments of AdamW.
struct Weights {
  Buffer wte;  // [V, C] word embedding, also the output head
  Buffer wpe;  // [N, C] position embedding
  std::vector<Block> blocks;
  Buffer lnf_w, lnf_b;  // [C]

  // Zeros.
  explicit Weights(const Config& config);
  // Every tensor, in a fixed order; the pointers are into this object.
  std::vector<Parameter> parameters();
};

// What forward keeps of one layer for backward.
struct LayerActivations {
  Buffer ln1, ln1_mean, ln1_rstd;  // [B T, C], [B T], [B T]
  Buffer qkv;                      // [B T, 3C]
  Buffer attention;                // [B, H, T, T] softmax weights, 0 above the diagonal
  Buffer mixed;                    // [B T, C] heads side by side
  Buffer middle;                   // [B T, C] the stream after attention
  Buffer ln2, ln2_mean, ln2_rstd;
  Buffer fc, gelu;  // [B T, 4C]
};

struct Activations {
  std::vector<Buffer> stream;  // L + 1 of [B T, C]: what enters each layer, and what leaves the last
  std::vector<LayerActivations> layers;
  Buffer lnf, lnf_mean, lnf_rstd;
  Buffer logits;  // [B T, V]
};

// tokens [B, T] -> activations; `logits` is their last.
Activations forward(const Config& config, const Weights& weights, const std::vector<int>& tokens, int B,
                    int T);

// Mean cross-entropy of logits [B T, V] against targets [B, T].
double loss(const Config& config, const Buffer& logits, const std::vector<int>& targets);

// The gradient of that loss with respect to every weight.
Weights backward(const Config& config, const Weights& weights, const Activations& acts,
                 const std::vector<int>& tokens, const std::vector<int>& targets, int B, int T);

// Loshchilov and Hutter, "Decoupled weight decay regularization" (2019). Decay on matrices only.
struct AdamW {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, decay = 0.1;
  Weights m, v;  // first and second moments
  int step = 0;

  explicit AdamW(const Config& config) : m(config), v(config) {}
  void update(Weights& weights, Weights& gradient);
};

}  // namespace gpt_reference
