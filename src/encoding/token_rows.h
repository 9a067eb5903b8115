// Rows for token classification: "words" (or "tokens"), and a tag for each ("tags", "ner_tags" or "labels").
#pragma once

#include "encoding/sequence_rows.h"
#include "encoding/token_labels.h"

namespace quern::encoding {

struct TokenSet {
  std::vector<LabelledTokens> train, validation;
  std::vector<std::string> labels;
  int64_t cut = 0;    // texts
  std::string first;  // an example, for people
};

// Words are read as one text with a space between them, as it will be read when labels are asked for; a word's first token
// has its label.
Result<TokenSet> read_tokens(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                             const LabelOptions& options, RefusedRows& refused);

}  // namespace quern::encoding
