// Rows for answers out of a context, as SQuAD has them: "question", "context", and "answers" {"text": [...], "answer_start": [...]},
// whose lists are empty where the context does not say.
#pragma once

#include "encoding/answer_spans.h"
#include "encoding/labelled_rows.h"
#include "text/tokenizer.h"

namespace quern::encoding {

struct QuestionSet {
  std::vector<AskedContext> asked[2];  // learnt, held out
  std::vector<ContextWindow> windows[2];
  std::string first;  // an example, for people
};

// Answers begin at characters, as Python counts them. A row is refused whose context says something else there.
Result<QuestionSet> read_questions(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                                   const WindowOptions& options, RefusedRows& refused);

}  // namespace quern::encoding
