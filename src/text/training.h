// What the trainers of all kinds of tokenizer share: where texts come from, special tokens and their roles, and the
// files beside the model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_fields.h"

namespace quern::text {

// The next text, or nothing at the end. A view needs to hold only until the next call. Texts are split one by
// one: no token crosses from one into the next. Ill-formed UTF-8 counts as U+FFFD.
using TextSource = std::function<std::optional<std::string_view>()>;

// A special token and what it is for, as tokenizer_config.json names it: "bos_token", "mask_token", ...
struct TokenRole {
  const char* name;
  std::optional<std::string> token;
};

// Errors: invalid_argument for an empty or repeated special token and for a role that none of them has.
Result<void> check_special_tokens(const std::vector<std::string>& tokens,
                                  const std::vector<TokenRole>& roles);

// Errors: invalid_argument for a vocabulary that is smaller than what it must hold, `least` tokens, in words `what`,
// or larger than any may be.
Result<void> check_vocab_size(int64_t vocab_size, int64_t least, std::string_view what);

// The text of tokenizer_config.json.
std::string training_config_json(const std::vector<TokenRole>& roles, const std::string& chat_template);

// TemplateProcessing that puts tokens around texts. In `single` and `pair`, "$A" and "$B" are the texts and all else is
// one of `tokens`, whose place is its id; ":1" at the end gives the second type.
Json surrounding_template(const std::vector<std::string>& single, const std::vector<std::string>& pair,
                          const std::vector<std::string>& tokens);

}  // namespace quern::text
