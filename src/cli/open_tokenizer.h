// The tokenizer that a command is given.
#pragma once

#include <string>

#include "base/result.h"
#include "text/tokenizer.h"

namespace quern::cli {

inline constexpr const char* kTokenizerHelp =
    "a tokenizer's file (tokenizer.json, vocab.json, tokenizer.model, ...), a folder with one, a GGUF file, "
    "or a "
    "name in the store";

// `source` as in kTokenizerHelp. Errors of Store::resolve, Tokenizer::load and open_language.
Result<text::Tokenizer> open_tokenizer(const std::string& source);

}  // namespace quern::cli
