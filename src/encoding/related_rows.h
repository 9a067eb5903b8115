// Rows of texts that belong together: "anchor" and "positive", and where there is one "negative"; or "sentence1", "sentence2"
// and how near they are, "score" (or "label").
#pragma once

#include "encoding/labelled_rows.h"
#include "encoding/sentence_vectors.h"
#include "text/tokenizer.h"

namespace quern::encoding {

enum class RelatedForm : uint8_t { pairs, triplets, scored };

struct RelatedSet {
  std::vector<RelatedTexts> examples;
  RelatedForm form = RelatedForm::pairs;  // of all of them, as the first row has it; others are refused
  int64_t cut = 0;    // texts that are longer than `longest`, of which the beginning is read
  std::string first;  // an example, for people
};

Result<RelatedSet> read_related(const std::vector<LabelledRow>& rows, const text::Tokenizer& tokenizer,
                                int64_t longest, RefusedRows& refused);

}  // namespace quern::encoding
