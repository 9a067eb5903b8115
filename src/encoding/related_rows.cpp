#include "encoding/related_rows.h"

#include <fmt/format.h>

#include <atomic>
#include <optional>

#include "base/threads.h"

namespace quern::encoding {

using data::Fault;
using data::Refusal;

namespace {

struct RelatedRow {
  RelatedForm form = RelatedForm::pairs;
  std::vector<std::string> texts;
  double score = 0.0;
};

Refusal read_related_row(const Row& fields, RelatedRow& row) {
  row.texts.resize(2);
  if (find_field(fields, {"anchor"})) {
    if (Refusal refusal = read_text(fields, {"anchor"}, row.texts[0])) return refusal;
    if (Refusal refusal = read_text(fields, {"positive"}, row.texts[1])) return refusal;
    if (!find_field(fields, {"negative"})) return {};
    row.form = RelatedForm::triplets;
    return read_text(fields, {"negative"}, row.texts.emplace_back());
  }
  if (!find_field(fields, {"sentence1"}))
    return {Fault::unknown_form, "expected anchor and positive, or sentence1, sentence2 and score"};
  row.form = RelatedForm::scored;
  if (Refusal refusal = read_text(fields, {"sentence1"}, row.texts[0])) return refusal;
  if (Refusal refusal = read_text(fields, {"sentence2"}, row.texts[1])) return refusal;
  return read_number(fields, {"score", "label"}, row.score);
}

}  // namespace

Result<RelatedSet> read_related(const std::vector<LabelledRow>& rows, const text::Tokenizer& tokenizer,
                                int64_t longest, RefusedRows& refused) {
  RelatedSet set;
  std::vector<RelatedRow> read;
  for (const LabelledRow& from : rows) {
    RelatedRow row;
    Refusal refusal = read_related_row(from.fields, row);
    if (!refusal && !read.empty() && row.form != read.front().form)
      refusal = {Fault::other_kind, "of another form than the first row"};
    if (refusal)
      refuse(refused, from, refusal);
    else
      read.push_back(std::move(row));
  }
  if (read.empty()) return set;
  set.form = read.front().form;
  set.examples.resize(read.size());
  std::atomic<int64_t> cut{0};
  parallel_for(static_cast<int64_t>(read.size()), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const RelatedRow& row = read[static_cast<size_t>(i)];
      RelatedTexts& example = set.examples[static_cast<size_t>(i)];
      example.score = row.score;
      for (const std::string& one : row.texts) {
        const infer::EncoderText text(tokenizer, one);
        const bool fits = text.size() <= longest;
        if (!fits) ++cut;
        example.texts.push_back(TextTokens::of(fits ? text.tokens() : text.truncated(longest)));
      }
    }
  });
  set.cut = cut;
  for (const std::string& text : read.front().texts) set.first += (set.first.empty() ? "" : "\n") + text;
  if (set.form == RelatedForm::scored) set.first += fmt::format("\n-> {}", read.front().score);
  return set;
}

}  // namespace quern::encoding
