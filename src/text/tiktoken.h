// tiktoken rank files: "base64(token) rank" a line, where the rank is both id and merge order.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace quern::text {

// What a rank file does not say.
struct TiktokenSpec {
  std::string pattern;  // regular expression whose matches are the pieces
  std::vector<std::pair<std::string, TokenId>> special_tokens;
  bool nfc = false;      // texts are normalised first
  std::string bos = {};  // a special token that stands before texts; empty: none
  std::string eos = {};  // the one that ends them, for who generates
};

// The contents of a .tiktoken file. Ids and texts are those of the tiktoken library for valid UTF-8. Errors: corrupt
// (the line), invalid_argument (a special token whose id is taken), unsupported (the pattern).
Result<Tokenizer> read_tiktoken(std::string_view ranks, const TiktokenSpec& spec,
                                std::string_view config_json = {}, std::string_view chat_template = {});

}  // namespace quern::text
