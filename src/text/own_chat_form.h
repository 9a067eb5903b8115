// The chat form of models that are trained here, for corpora and tokenizers that bring none of their own:
//   <|user|>What colour is a lemon?<|assistant|>Yellow.<|end|><|user|>...
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace quern::text {

// Its markers, which a tokenizer learns as special tokens.
const std::vector<std::string>& own_chat_markers();
// It as a chat template, in Jinja. What the assistant says, its end marker included, is the generated part.
std::string_view own_chat_template();
// The template, ready to render. Thread-safe.
const ChatTemplates& own_chat_form();

}  // namespace quern::text
