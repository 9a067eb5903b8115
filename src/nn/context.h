// What one forward pass carries besides its activations: where each token stands, what it may see, which
// cache holds the past, and the randomness of dropout. Training and serving differ here and nowhere else.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "ops/attention.h"

namespace quern::nn {

class Adapter;
class KvCache;
class Parameter;

// Sees what enters linear maps while a model runs: how quantisers learn which columns matter.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  // x [..., in] is about to be multiplied by `weight` [out, in], a parameter of the model.
  virtual void input(const Parameter& weight, const Tensor& x) = 0;
};

// Dropout is off unless `enabled`. A mask is a function of (seed, step, site in the model, index), so a
// resumed or recomputed step draws the same one; `step` counts micro-batches.
struct DropoutState {
  bool enabled = false;
  uint64_t seed = 0;
  uint64_t step = 0;
  // The stream of one place in the model: 0 is the embedding, 1 + 2l and 2 + 2l are the branches of layer l.
  uint64_t stream(uint64_t site) const { return step << 16 | site; }
};

// The keys and values of one layer for what its queries see of another sequence: [1 or B, S, K, D] each.
struct SourceKeys {
  Tensor keys;
  Tensor values;
};
// What a decoder reads beside its own tokens: the states of an encoder, projected once for each layer. One source may
// stand for all sequences (beams).
struct Source {
  std::vector<SourceKeys> layers;
  std::vector<int64_t> lengths;  // of each sequence: the keys that are text, the rest is padding
};

// Tokens [begin, end) of a pass, counted through its rows, that an adapter changes; or all there are.
struct AdapterRows {
  const Adapter* adapter = nullptr;
  int64_t begin = 0;
  int64_t end = std::numeric_limits<int64_t>::max();
};

// Cheap to copy: tensors are handles. Checkpointed blocks keep a copy until their backward has run.
struct ForwardContext {
  Tensor positions;  // i32 [B, T]: the place of each token in its document
  ops::AttentionMask
      mask;          // i32 [B, T] each: what a query sees of its row, or of the cache; windows narrow it
  Tensor bias = {};  // of self-attention: wide [1 or B, H, T, S], or undefined (ops::AttentionOptions::bias)
  Tensor distances = {};  // of disentangled positions: a vector for each bucket [2 R, C], or undefined
  std::shared_ptr<const Source> source = {};  // of cross-attention; null: the model has none
  // Tokens of the whole text where this pass ends before it does: a piece of a prompt. Rotary positions that follow the
  // length of the text (longrope, dynamic NTK) go by it; see text_length().
  int64_t text_length = 0;
  Tensor embedding_noise =
      {};                    // [B, T, C], added to the embeddings (NEFTune, arXiv 2310.05914), or undefined
  KvCache* cache = nullptr;  // null: attend over the keys of this call (training, evaluation)
  DropoutState dropout;
  LinearObserver* observer = nullptr;  // of every Linear inside the blocks
  // Of what this pass computes; ascending and apart. Outlives the pass, and the backward of checkpointed blocks.
  std::span<const AdapterRows> adapters = {};
  // i32 [B, T]: which virtual token of its adapter stands in a place, -1 where text does; undefined: nowhere. The decoder's.
  Tensor virtual_tokens = {};
  bool checkpoint = false;  // keep only the input of each block and compute it again in backward

  // B rows of T tokens, each one document from its start.
  static ForwardContext causal(int64_t batch, int64_t time);
  // Rows that hold several documents, described by `positions` (i32 [B, T], from 0 in each document): a token
  // sees its own document up to itself. A row may begin inside a document. The text_length is T. Throws ShapeError on a negative
  // position.
  static ForwardContext packed(const Tensor& positions);
  // Rows of `time` tokens of which the first lengths[b] are text that sees all of itself, and the rest is padding that
  // nobody sees: what encoders read. Throws ShapeError on a length past `time`.
  static ForwardContext padded(std::span<const int64_t> lengths, int64_t time);
};

// Tokens of the text that the pass belongs to: context.text_length, or as far as the positions reach where they reach
// further. Of a batch, the longest's.
int64_t text_length(const ForwardContext& context);

// The mask narrowed to the last `window` keys of each query; the mask itself when `window` is 0.
ops::AttentionMask narrowed(const ops::AttentionMask& mask, int64_t window);

}  // namespace quern::nn
