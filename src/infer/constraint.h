// What stands between grammars, which know bytes, and models, which know tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "grammar/matcher.h"
#include "text/tokenizer.h"

namespace quern::infer {

// Stands before what a special token spells: a byte that no text has, so that only a grammar that names such a token
// allows it.
inline constexpr char kSpecialMark = '\xFF';

// What each token spells in a text: the bytes of byte-level and byte-fallback tokens, SentencePiece's with their space,
// special ones behind a kSpecialMark. `end_tokens` may come where a text may end. unsupported for tokenizers whose tokens
// say nothing without their neighbours (WordPiece, WordLevel).
Result<std::shared_ptr<const grammar::Vocabulary>> make_vocabulary(const text::Tokenizer& tokenizer,
                                                                   std::span<const int32_t> end_tokens);

// What a grammar must ask for where it wants `marker`: the special token of that name where there is one, the text else.
std::string spelling_of(const text::Tokenizer& tokenizer, std::string_view marker);

// Puts minus infinity on each of the logits [V] whose token may not come next. Throws Exception as
// TokenMasks::fill, and where no token may come at all.
void apply_constraint(grammar::Matcher& matcher, std::span<float> logits);
// Goes on with a token that was chosen. Throws Exception where the grammar is too ambiguous to follow.
void advance(grammar::Matcher& matcher, int32_t token);

}  // namespace quern::infer
