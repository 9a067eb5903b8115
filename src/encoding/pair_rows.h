// Rows of a text and its answer, for models that write one in sight of the other: a row in any of the forms of
// data/examples/read_example.h that has one question and one answer; "input" (or "source", "text") and "target" are known, too.
#pragma once

#include "encoding/cut_texts.h"
#include "encoding/labelled_rows.h"
#include "encoding/span_corruption.h"

namespace quern::encoding {

// Tokens, with what stands around them.
struct PairLimits {
  int64_t source = 1024;  // what is longer is cut
  int64_t target = 1024;  // what is longer is refused: an answer without its end is none
};

struct PairSet {
  std::vector<TextPair> train, validation;
  int64_t cut = 0;    // sources
  std::string first;  // an example, for people
};

// not_found where the tokenizer has no token that ends an answer.
Result<PairSet> read_pairs(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                           const PairLimits& limits, RefusedRows& refused);

}  // namespace quern::encoding
