// tokenizer.json of a byte-level BPE tokenizer, without its model: for training, and for readers of formats that say
// less.
#pragma once

#include <string>
#include <vector>

#include "text/json_fields.h"

namespace quern::text {

struct SpecialToken {
  std::string content;
  bool special = true;
};

struct ByteLevelRules {
  // Regular expressions that cut one after the other. The GPT-2 pattern, when it is the only one, is built into
  // ByteLevel.
  std::vector<std::string> patterns = {};
  std::vector<SpecialToken> added_tokens = {};
  bool nfc = false;
  bool add_prefix_space = false;
};

Json byte_level_document(const ByteLevelRules& rules);
// Its parts "pre_tokenizer" and "added_tokens".
Json byte_level_pre_tokenizer(const ByteLevelRules& rules);
Json added_tokens_json(const std::vector<SpecialToken>& tokens);

}  // namespace quern::text
