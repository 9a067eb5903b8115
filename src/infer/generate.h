// Token-by-token generation on a session.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "infer/constraint.h"
#include "infer/constraint_start.h"
#include "infer/sampling.h"
#include "infer/session.h"
#include "infer/token_rules.h"

namespace quern::infer {

enum class FinishReason : uint8_t {
  stop,          // an end token, or a stop string
  length,        // as many tokens as were asked for
  context_full,  // the model has no more positions
  cancelled,     // the receiver said so
};
std::string_view name_of(FinishReason reason);

struct GenerateOptions {
  SamplingOptions sampling;
  int64_t max_tokens = 256;
  std::vector<int32_t> end_tokens;  // finish, and are not passed on
  TokenRules rules = {};
  uint64_t stream = 0;  // which of several answers to one prompt
  // In a full context, forget half of what follows the prompt (Session::shift) and go on; of a prompt of more than half
  // the context, that half is kept.
  bool context_shift = false;
  // What the answer must be; null: anything. Its end tokens finish, too.
  std::shared_ptr<grammar::TokenMasks> constraint = {};
  std::optional<ConstraintStart> constraint_start = {};  // nothing: it holds from the first token on
};

// Chooses the tokens of one answer: what the rules and the constraint leave, sampled. Not thread-safe.
class TokenChooser {
 public:
  explicit TokenChooser(GenerateOptions options);

  // The next token, from the logits [V] after `tokens`, which are the prompt and what was chosen since. Throws as
  // log_sum_exp, apply_constraint and advance do.
  SampledToken choose(std::span<const float> logits, std::span<const int32_t> tokens);
  // Whether the token finishes the answer, of which it is no part then.
  bool ends(int32_t token) const;
  // Nothing can follow by the constraint: the answer is whole without an end token.
  bool is_complete() const { return constraint_ && constraint_->is_complete(); }
  const GenerateOptions& options() const { return options_; }

 private:
  void rule_out(std::span<const int32_t> tokens);
  void learn(int32_t token);

  GenerateOptions options_;
  Sampler sampler_;
  std::optional<ConstraintStart> waiting_;  // for the constraint to begin
  std::optional<grammar::Matcher> constraint_;
  int64_t generated_ = 0;
  std::vector<float> ruled_;
};

// Continues the session until something ends it; `receive` gets each token and returns false to stop. The
// session then holds the prompt and every token passed on. Precondition: the session is not empty.
FinishReason generate(Session& session, const GenerateOptions& options,
                      const std::function<bool(const SampledToken&)>& receive);

}  // namespace quern::infer
