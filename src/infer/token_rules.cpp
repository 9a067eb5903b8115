#include "infer/token_rules.h"

#include <algorithm>
#include <limits>

namespace quern::infer {

void TokenRules::fields(Fields& f) {
  f.add("no_repeat_ngram", no_repeat_ngram, "so many tokens in a row never come twice; 0: they may")
      .at_least(0);
  f.add("min_tokens", min_tokens, "shortest answer, in tokens").at_least(0);
}

namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

void forbid(std::span<float> scores, int32_t token) {
  if (token >= 0 && static_cast<size_t>(token) < scores.size())
    scores[static_cast<size_t>(token)] = kImpossible;
}

void force(std::span<float> scores, int32_t token) {
  if (token < 0 || static_cast<size_t>(token) >= scores.size()) return;
  std::ranges::fill(scores, kImpossible);
  scores[static_cast<size_t>(token)] = 0.0f;
}

// Tokens that would end n tokens which have come before.
void forbid_repeats(std::span<float> scores, std::span<const int32_t> tokens, size_t n) {
  if (tokens.size() + 1 < n) return;
  const auto last = tokens.last(n - 1);
  for (size_t i = 0; i + n <= tokens.size(); ++i) {
    if (std::ranges::equal(tokens.subspan(i, n - 1), last)) forbid(scores, tokens[i + n - 1]);
  }
}

}  // namespace

void apply(const TokenRules& rules, const AnswerState& state, std::span<float> scores) {
  if (rules.no_repeat_ngram > 0) {
    forbid_repeats(scores, state.tokens, static_cast<size_t>(rules.no_repeat_ngram));
  }
  if (state.generated < rules.min_tokens) {
    for (const int32_t token : state.end_tokens) forbid(scores, token);
  }
  if (state.generated == 0) force(scores, rules.forced_first);
  if (state.generated + 1 == state.max_tokens) force(scores, rules.forced_last);
}

}  // namespace quern::infer
