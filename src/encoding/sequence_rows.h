// Rows for sequence classification: "text" (or "sentence"), a second text where it is judged with another ("text_pair", or
// "sentence2" beside "sentence1"), and "label" (or "labels").
#pragma once

#include <optional>

#include "encoding/label_set.h"
#include "encoding/sequence_labels.h"
#include "text/tokenizer.h"

namespace quern::encoding {

// What becomes of rows of labelled data, whatever is labelled.
struct LabelOptions {
  int64_t longest = 128;  // tokens of a text; what is longer is cut, the longer text of two first
  std::vector<std::string> given = {};     // labels, in their order; empty: those of the data
  std::vector<std::string> of_model = {};  // that a model to go on with has
};

struct SequenceSet {
  std::vector<LabelledText> train, validation;
  model::Problem problem = model::Problem::single_label;
  std::vector<std::string> labels;
  int64_t cut = 0;    // texts
  std::string first;  // an example, for people
};

// `problem`: empty: as transformers guesses it: lists are labels by themselves, numbers with a fraction are numbers.
Result<SequenceSet> read_sequences(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                                   std::optional<model::Problem> problem, const LabelOptions& options,
                                   RefusedRows& refused);

}  // namespace quern::encoding
