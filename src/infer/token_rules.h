// Which tokens may come next, whatever the model makes of them: rules that every way of choosing obeys.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/config.h"

namespace quern::infer {

struct TokenRules {
  int64_t no_repeat_ngram = 0;  // n tokens in a row never come twice, prompt included; 0: they may
  int64_t min_tokens = 0;       // no end token among the first so many
  int32_t forced_first = -1;    // the first token; -1: any
  int32_t forced_last = -1;     // the last token, where the length ends the answer; -1: any

  void fields(Fields& f);
  bool any() const { return no_repeat_ngram > 0 || min_tokens > 0 || forced_first >= 0 || forced_last >= 0; }
};

// Where an answer stands.
struct AnswerState {
  std::span<const int32_t> tokens;  // of the prompt and the answer so far
  int64_t generated = 0;            // of them
  int64_t max_tokens = 0;           // of the answer
  std::span<const int32_t> end_tokens;
};

// Puts minus infinity on each score [V] of a token that may not come; a forced token gets 0, as in transformers.
void apply(const TokenRules& rules, const AnswerState& state, std::span<float> scores);

}  // namespace quern::infer
