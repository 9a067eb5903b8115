// Several continuations of one sequence, computed together.
#pragma once

#include <cstdint>
#include <span>

#include "infer/session.h"

namespace quern::infer {

// Each branch is a row of one cache; what branches have in common is kept once where it fills whole blocks. A branch has
// the bits that a session of its own would have. The model must outlive it. Not thread-safe.
class Branches {
 public:
  // Each of `count` branches begins as the session's sequence, with room for `more` tokens. Preconditions: the session is
  // not empty, and has that room.
  Branches(const Session& session, int64_t count, int64_t more);

  int64_t count() const { return cache_.batch(); }
  // f32 [V]: the logits after the last token of a branch.
  std::span<const float> logits(int64_t branch) const;
  // Branch b goes on from where branch from[b] was, with tokens[b].
  void advance(std::span<const int64_t> from, std::span<const int32_t> tokens);

 private:
  const model::Decoder& model_;
  std::shared_ptr<const nn::Source> source_;  // which all branches share
  nn::ContiguousKvCache cache_;
  Tensor logits_;  // [B, V], or [1, V] while all branches are one
};

}  // namespace quern::infer
