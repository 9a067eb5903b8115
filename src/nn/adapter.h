// Adapters: what tuning adds to a model that stays as it is. They change what linear maps make (nn/lora.h) or what attention
// and MLP do (nn/bottleneck.h), or put virtual tokens before every text (nn/soft_prompt.h, nn/prefix.h), which stand where
// tokens do: they have positions, keys and values.
#pragma once

#include "nn/context.h"
#include "nn/module.h"
#include "nn/token_rows.h"

namespace quern::nn {

// Of a layer: what joins the residual stream.
enum class Branch : uint8_t { attention, mlp };

// Its parameters are named as in PEFT's files. The model must outlive it and stay where it is. Thread-safe when it is frozen.
class Adapter : public Module {
 public:
  virtual bool changes(const Parameter& weight) const;
  // y [..., out], what the map of `weight` with `bias` (which may be undefined) makes of x [..., in], changed; y itself
  // where the adapter leaves the map alone.
  virtual Tensor change(const Parameter& weight, const Tensor& bias, const Tensor& x, const Tensor& y,
                        const DropoutState& dropout) const;

  virtual bool follows(int64_t layer, Branch branch) const;
  // y [..., C], what a branch of a layer made and would add to `stream` [..., C], changed.
  virtual Tensor follow(int64_t layer, Branch branch, const Tensor& y, const Tensor& stream,
                        const DropoutState& dropout) const;

  // Tokens whose embeddings, and whose rows of the head that makes logits, are the adapter's own; null: none.
  virtual const TokenRows* embedding_rows() const { return nullptr; }
  virtual const TokenRows* head_rows() const { return nullptr; }

  // How many stand before every text. Virtual token i has the id V + i after those of the vocabulary.
  virtual int64_t virtual_tokens() const { return 0; }
  // Of places whose virtual tokens `which` (i32, one for each place, -1: none) names: embeddings x [..., C], and what a layer
  // sees of them, keys and values [..., K, D].
  virtual Tensor embeddings(const Tensor& x, const Tensor& which) const;
  virtual Tensor keys(int64_t layer, const Tensor& k, const Tensor& which) const;
  virtual Tensor values(int64_t layer, const Tensor& v, const Tensor& which) const;

  // For use without training: what depends on weights alone is computed once.
  virtual void freeze() { set_trainable(*this, false); }
};

// y, what the map of `weight` with `bias` makes of x, changed by the adapters of its rows (ForwardContext::adapters).
Tensor adapted(const Parameter& weight, const Tensor& bias, const Tensor& x, const Tensor& y,
               const ForwardContext& context);
// Whether any of them changes the map.
bool is_adapted(const Parameter& weight, const ForwardContext& context);

// y, what a branch of a layer made, changed by the adapters of its rows.
Tensor followed(int64_t layer, Branch branch, const Tensor& y, const Tensor& stream,
                const ForwardContext& context);

// x, the embeddings of `tokens` out of the model's table times `scale`, with those that the adapters of the rows have.
Tensor with_own_embeddings(const Tensor& x, const Tensor& tokens, double scale,
                           const ForwardContext& context);
// Puts the logits of tokens whose rows of the head are the adapters' own into logits [n, V] of states [n, C], both wide;
// bias: wide [V], or undefined. Not for what is recorded: see head_rows().
void put_own_logits(const Tensor& states, const Tensor& bias, std::span<const AdapterRows> adapters,
                    const Tensor& logits);
// Those of the adapter that all rows have; null: they have none. Throws InternalError where an adapter of some rows has any.
const TokenRows* head_rows(std::span<const AdapterRows> adapters);

// Takes virtual tokens out of `tokens` (i32 [B, T]), whose vocabulary is of `vocab`: 0 stands in their places, and
// context.virtual_tokens says which was where; undefined where there is none. Throws ShapeError for one that the adapter of
// its row has not.
Tensor take_virtual_tokens(const Tensor& tokens, int64_t vocab, ForwardContext& context);
// What the adapters of the rows make of context.virtual_tokens.
Tensor with_virtual_embeddings(const Tensor& x, const ForwardContext& context);
Tensor with_virtual_keys(int64_t layer, const Tensor& k, const ForwardContext& context);
Tensor with_virtual_values(int64_t layer, const Tensor& v, const ForwardContext& context);

}  // namespace quern::nn
