// The tokenizer of old BERT checkpoints, which come with vocab.txt (a token per line) and tokenizer_config.json in place
// of tokenizer.json.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace quern::text {

// The tokenizer.json of these files; `config_json` may be empty: then text is lowercased and special tokens are
// [UNK], [CLS], [SEP], [PAD] and [MASK], as BERT's. corrupt when the vocabulary lacks the first three, or the config is no
// JSON object.
Result<std::string> bert_tokenizer_json(std::string_view vocabulary, std::string_view config_json);

}  // namespace quern::text
