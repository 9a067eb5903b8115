#include "encoding/question_rows.h"

#include <fmt/format.h>

#include "base/threads.h"
#include "data/examples/messages.h"

namespace quern::encoding {

using data::Fault;
using data::Refusal;

namespace {

struct QuestionRow {
  const LabelledRow* row = nullptr;
  std::string question;
  AskedContext asked;
  text::Span answer = {};
};

// Where character `place` begins, in bytes; past the end: npos.
size_t byte_of(const std::string& text, int64_t place) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && place-- == 0) return at;
  }
  return place == 0 ? at : std::string::npos;
}

Refusal read_question_row(const LabelledRow& from, QuestionRow& row) {
  row.row = &from;
  if (Refusal refusal = read_text(from.fields, {"question"}, row.question)) return refusal;
  if (Refusal refusal = read_text(from.fields, {"context"}, row.asked.context)) return refusal;
  const Row* const answers = find_field(from.fields, {"answers"});
  if (!answers) return {Fault::missing_field, "answers"};
  if (!answers->is_object() || !answers->contains("text") || !(*answers)["text"].is_array())
    return data::bad_value("answers", "an object of lists, text and answer_start", *answers);
  const Row &texts = (*answers)["text"],
            starts = answers->contains("answer_start") ? (*answers)["answer_start"] : Row::array();
  if (!starts.is_array() || (!starts.empty() && starts.size() != texts.size()))
    return data::bad_value("answers.answer_start", "a list as long as answers.text", starts);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].is_string() || texts[i].get_ref<const std::string&>().empty())
      return data::bad_value("answers.text", "texts", texts[i]);
    row.asked.answers.push_back(texts[i].get<std::string>());
  }
  if (row.asked.answers.empty()) return {};
  const std::string& context = row.asked.context;
  const std::string& answer = row.asked.answers.front();
  size_t begin = context.find(answer);
  if (!starts.empty()) {
    if (!starts[0].is_number_integer())
      return data::bad_value("answers.answer_start", "whole numbers", starts[0]);
    begin = starts[0].get<int64_t>() < 0 ? std::string::npos : byte_of(context, starts[0].get<int64_t>());
  }
  if (begin == std::string::npos || context.compare(begin, answer.size(), answer) != 0)
    return {Fault::not_located, fmt::format("the context does not say \"{}\" where it should", answer)};
  row.answer = {static_cast<uint32_t>(begin), static_cast<uint32_t>(begin + answer.size())};
  return {};
}

}  // namespace

Result<QuestionSet> read_questions(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                                   const WindowOptions& options, RefusedRows& refused) {
  QuestionSet set;
  for (size_t side = 0; side < 2; ++side) {
    std::vector<QuestionRow> read;
    for (const LabelledRow& row : side == 0 ? rows.train : rows.validation) {
      QuestionRow question;
      if (const Refusal refusal = read_question_row(row, question))
        refuse(refused, row, refusal);
      else
        read.push_back(std::move(question));
    }
    std::vector<std::vector<ContextWindow>> windows(read.size());
    parallel_for(static_cast<int64_t>(read.size()), 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const QuestionRow& row = read[static_cast<size_t>(i)];
        windows[static_cast<size_t>(i)] = windows_of(
            infer::EncoderText(tokenizer, row.question, row.asked.context), row.answer, 0, options);
      }
    });
    for (size_t i = 0; i < read.size(); ++i) {
      if (windows[i].empty()) {
        refuse(refused, *read[i].row,
               {Fault::too_long, fmt::format("the question leaves no room in {} tokens", options.longest)});
        continue;
      }
      for (ContextWindow& window : windows[i]) {
        window.asked = set.asked[side].size();
        set.windows[side].push_back(std::move(window));
      }
      if (side == 0 && set.first.empty())
        set.first = read[i].question + "\n-> " +
                    (read[i].asked.answers.empty() ? "(no answer)" : read[i].asked.answers.front());
      set.asked[side].push_back(std::move(read[i].asked));
    }
  }
  return set;
}

}  // namespace quern::encoding
