// One sequence on one model: what it holds so far, and the logits of what may come next.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/decoder.h"

namespace quern::infer {

// Keeps keys and values of its tokens, so that a longer prompt or an edited conversation pays only for what
// changed. The model must outlive it. Not thread-safe; many sessions may share one model from one thread.
//
// Where rotary positions follow the length of the text, a prompt turns as its own length says, however it is computed:
// set_tokens() computes again what turned otherwise. Past the boundary of longrope, append() does so too, once; with
// dynamic NTK, where each token changes the angles, keys stay as they were when their tokens were appended. Both are
// what transformers does.
//
// The virtual tokens of the model's adapter stand before the sequence, and are none of it.
class Session {
 public:
  // Room for `context` tokens; 0 or more than the model has positions: all its positions. Keys and values are kept in
  // model.cache_dtype().
  Session(const model::Decoder& model, int64_t context);

  // Makes `tokens` the sequence, computing only what follows the longest common prefix with what it was.
  // invalid_argument, with the numbers, when there are none, more than context(), or one outside the
  // vocabulary: a prompt is never cut in silence. cancelled when an InterruptGuard is asked to stop (base/interrupt.h),
  // within the time of one product; the sequence is then what was computed of it.
  Result<void> set_tokens(std::span<const int32_t> tokens);
  // What cross-attention reads from now on, of a decoder beside an encoder; forgets all tokens.
  void set_source(std::shared_ptr<const nn::Source> source);
  const std::shared_ptr<const nn::Source>& source() const { return source_; }
  // Appends one token. Precondition: !full().
  void append(int32_t token);

  // Forgets `count` tokens after the first `keep` and moves the others up, so that a full context goes on. Keys are
  // turned to their new positions where they are rotary, which is an approximation: they and their values were computed
  // in sight of what is forgotten. With learned positions the rest is computed again. Preconditions: count >= 0, keep >=
  // 0, keep + count is less than the number of tokens.
  void shift(int64_t keep, int64_t count);

  // f32 [V]: the logits after the last token. Precondition: the sequence is not empty.
  std::span<const float> logits() const { return logits_.span<float>(); }
  const std::vector<int32_t>& tokens() const { return tokens_; }
  // Room for tokens beside the virtual ones.
  int64_t context() const { return context_ - before(); }
  bool full() const { return static_cast<int64_t>(tokens_.size()) >= context(); }
  const model::Decoder& model() const { return model_; }
  const nn::ContiguousKvCache& cache() const { return cache_; }

 private:
  int64_t before() const { return static_cast<int64_t>(virtual_.size()); }
  int64_t rope_length(int64_t tokens) const {
    return ops::rope_length(model_.config().rope, before() + tokens);
  }
  void hold(std::span<const int32_t> tokens);
  void go_back_to(int64_t length);
  void compute(std::span<const int32_t> tokens, int64_t text_length);

  const model::Decoder& model_;
  std::vector<int32_t> virtual_;  // of the model's adapter
  int64_t context_;               // with these
  nn::ContiguousKvCache cache_;   // of these and tokens_
  std::shared_ptr<const nn::Source> source_;
  std::vector<int32_t> tokens_;
  std::vector<int64_t>
      turned_;  // ops::rope_length() of the text that the keys of each token were computed in
  Tensor logits_;
};

}  // namespace quern::infer
