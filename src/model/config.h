// ModelConfig: every choice that makes one model differ from another. A size or a family is data here,
// never code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "model/encoder_kinds.h"
#include "nn/block.h"

namespace quern::model {

// Beyond any model.
inline constexpr int64_t kMaxLayers = int64_t{1} << 14, kMaxExperts = int64_t{1} << 12;

// `both` are learned and relative ones (MPNet); `disentangled` are relative ones that queries and keys meet as vectors
// (DeBERTa, nn/disentangled.h).
enum class Positions : uint8_t { none, learned, rope, alibi, relative, both, disentangled };

struct ModelConfig {
  std::string family = "gpt2";  // model_type of the Hugging Face config it is written as (families/)
  Kind kind = Kind::decoder;

  int64_t vocab_size = 0;
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;      // 0: as many as heads
  int64_t head_dim = 0;      // 0: hidden / heads
  int64_t intermediate = 0;  // 0: 4 * hidden
  int64_t max_positions = 0;

  nn::BlockLayout layout = nn::BlockLayout::pre_norm;
  ops::NormKind norm = ops::NormKind::layer;
  double norm_eps = 1e-5;
  double norm_offset = 0.0;  // added to every norm weight (Gemma: 1)
  bool norm_bias = true;     // layer norms only
  ops::Activation activation = ops::Activation::gelu_tanh;
  bool gated_mlp = false;
  bool qkv_bias = true;
  double qkv_clip = 0.0;  // queries, keys and values are limited to [-qkv_clip, qkv_clip]; 0: they are not
  bool output_bias = true;
  bool mlp_bias = true;

  int64_t experts = 0;  // MLPs of which each token meets some (nn/moe.h); 0: one MLP for all
  int64_t experts_per_token = 0;
  int64_t expert_intermediate = 0;    // width inside an expert; 0: intermediate
  int64_t shared_intermediate = 0;    // width inside the expert that every token meets; 0: there is none
  bool renormalise_experts = true;    // weights of a token's experts add up to 1
  std::vector<int64_t> dense_layers;  // ascending; they have one MLP all the same

  Positions positions = Positions::learned;
  int64_t position_offset = 0;  // rows of learned positions before that of position 0 (OPT: 2)
  double alibi_max_bias = 8.0;  // head h of H has the slope 2^-(alibi_max_bias h / H)
  bool alibi_scaled = false;    // attention_scale applies to ALiBi's biases too (Falcon)
  ops::RopeConfig rope;  // with Positions::rope; rotary 0: head_dim; its max_positions follows the one above
  std::vector<int64_t> nope_layers;     // ascending; they do not rotate (arXiv 2501.18795)
  int64_t relative_buckets = 32;        // of distances, with relative positions (nn/relative_positions.h)
  int64_t relative_max_distance = 128;  // from here on, one bucket
  bool relative_norm = false;           // of the vectors of disentangled positions
  int64_t window = 0;                   // keys a query sees, itself included; 0: all
  std::vector<int64_t> full_layers;     // ascending; they see all keys whatever `window` says
  double local_rope_theta = 0.0;        // of the layers with a window, unscaled; 0: they rotate as the others
  double attention_scale = 0.0;         // of q·k; 0: 1 / sqrt(head_dim)
  double attention_softcap = 0.0;
  nn::QkNorm qk_norm = nn::QkNorm::none;

  // Width of embeddings, which a projection widens (ALBERT); before a decoder's outputs another narrows states to it
  // (OPT 350M). 0: hidden.
  int64_t embedding_size = 0;
  bool tied_embeddings = true;
  bool head_bias = false;
  double embedding_scale = 1.0;  // token embeddings are multiplied by it; 0: sqrt(hidden) (Gemma)
  double logit_softcap = 0.0;

  // Of encoder-decoders, where the sizes above are those of the decoder.
  int64_t encoder_layers = 0;        // 0: layers
  int64_t encoder_heads = 0;         // 0: heads; they share the width of all the decoder's heads
  int64_t encoder_intermediate = 0;  // 0: intermediate
  bool cross_attention = false;      // of their decoder alone: blocks see the states of an encoder
  double final_state_scale = 1.0;    // of final states on their way to logits (T5)
  int64_t start_token = -1;          // what an answer begins with

  // Of encoders; a decoder may have the head sequence_classification in place of its language head (see scores()).
  int64_t token_types = 0;      // kinds of segments that have an embedding
  bool embedding_norm = false;  // after embeddings are summed
  int64_t distinct_layers = 0;  // blocks of their own weights, each for layers in a row (ALBERT); 0: layers
  Head head = Head::none;
  // Of the dense layer before the head's outputs; identity: there is no such layer.
  ops::Activation head_activation = ops::Activation::identity;
  Problem problem = Problem::single_label;  // of sequence classification
  std::vector<std::string> labels;          // of sequence and token classification

  double dropout = 0.0;  // while training: embeddings and both branches of each block
  double init_std =
      0.02;  // projections into the residual stream start at init_std / sqrt(2 * layers) (GPT-2)

  int64_t bos_token = -1;  // -1: none
  std::vector<int64_t> eos_tokens;
  int64_t pad_token = -1;
  DType dtype = DType::f32;  // of the weights in files

  // The settings of this struct, for YAML, --set and --print-config (base/config.h).
  void fields(Fields& f);

  // The same with every 0 that stands for a derived size filled in, and settings without effect at their
  // defaults.
  ModelConfig resolved() const;
  // invalid_argument for shapes that fit no model: names the fields, what they must satisfy and what they
  // are.
  Result<void> validate() const;

  // Of a decoder: whether it scores texts and writes none (model/reward_model.h).
  bool scores() const { return kind == Kind::decoder && head == Head::sequence_classification; }
  // Of a decoder: the same with one score in place of its language head. The last token that is not pad_token is read;
  // where the config names none, its first end token stands for it, as TRL does, or token 0.
  ModelConfig scoring() const;

  bool has_learned_positions() const {
    return positions == Positions::learned || positions == Positions::both;
  }
  bool has_relative_biases() const {
    return positions == Positions::relative || positions == Positions::both;
  }
  bool has_relative_positions() const {
    return has_relative_biases() || positions == Positions::disentangled;
  }
  // What one layer has of the choices above.
  int64_t window_of(int64_t layer) const;  // 0: it sees all keys
  bool rotates(int64_t layer) const;
  bool has_experts(int64_t layer) const;
  int64_t block_of(int64_t layer) const;  // the block whose weights it has
  // Outputs of a head; 0 without one.
  int64_t head_outputs() const;
};

}  // namespace quern::model
