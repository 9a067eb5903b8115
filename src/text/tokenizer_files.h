// The files that tokenizers are published in, by name.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace quern::text {

enum class TokenizerFormat {
  tokenizer_json,
  merges,  // vocab.json, with merges.txt beside it
  sentencepiece,
  word_pieces,  // vocab.txt
  tiktoken,     // a name that ends with .tiktoken
};

struct TokenizerFile {
  std::filesystem::path path;
  TokenizerFormat format;
};

// The tokenizer of a folder, the first of its kinds above, or `path` itself when it is a file. not_found: names all that
// was looked for.
Result<TokenizerFile> find_tokenizer_file(const std::filesystem::path& path);

}  // namespace quern::text
