#include "encoding/pair_rows.h"

#include <fmt/format.h>

#include "data/examples/read_example.h"
#include "encoding/denoised_texts.h"
#include "infer/encoder_text.h"

namespace quern::encoding {

using data::Example;
using data::Fault;
using data::Refusal;

namespace {

struct QuestionAndAnswer {
  std::string question, answer;
  bool asked = false;  // by a user
};

// Adds the contents of messages: what a system message and a user say, and what is answered; more is refused.
Refusal read_messages(const Row& messages, QuestionAndAnswer& pair) {
  for (const Row& message : messages) {
    const std::string role = message.value("role", "");
    const Row* const content = find_field(message, {"content"});
    const bool asks = role == "system" || role == "user",
               answers = role == "assistant" && pair.answer.empty();
    if (!content || !content->is_string() || !(answers || (asks && !pair.asked && pair.answer.empty())))
      return {Fault::bad_order, "expected one question and one answer, as texts"};
    const auto text = content->get<std::string>();
    if (answers)
      pair.answer = text;
    else
      pair.question += role == "system" ? text + "\n\n" : text;
    pair.asked = pair.asked || role == "user";
  }
  return {};
}

Refusal read_pair(Row row, QuestionAndAnswer& pair) {
  if (const Row* const target = find_field(row, {"target"});
      target != nullptr && !row.contains("completion")) {
    const Row* const source = find_field(row, {"input", "source", "text", "prompt"});
    if (source == nullptr) return {Fault::missing_field, "input"};
    row = Row{{"prompt", *source}, {"completion", *target}};
  }
  Example example;
  const std::string text = row.dump(-1, ' ', false, Row::error_handler_t::replace);
  if (Refusal refusal = data::read_example(text, {}, example)) {
    if (refusal.fault == Fault::unknown_form) refusal.what += ", or input and target";
    return refusal;
  }
  const bool asks =
      example.kind == data::ExampleKind::conversation || example.kind == data::ExampleKind::completion;
  if (!asks)
    return {Fault::other_kind,
            fmt::format("a {}; expected a question and its answer", name_of(example.kind))};
  if (example.is_text()) {
    pair = {example.prompt.get<std::string>(), example.answer.get<std::string>()};
  } else {
    for (const Row* messages : {&example.prompt, &example.answer})
      if (Refusal refusal = read_messages(*messages, pair)) return refusal;
  }
  if (pair.question.empty()) return {Fault::no_prompt, "nothing is asked"};
  if (pair.answer.empty()) return {Fault::no_answer, "nothing is answered"};
  return {};
}

}  // namespace

Result<PairSet> read_pairs(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                           const PairLimits& limits, RefusedRows& refused) {
  QUERN_TRY(const Surroundings written, surroundings_of_answers(tokenizer));
  PairSet set;
  const auto read = [&](const LabelledRow& row, std::vector<TextPair>& pairs) -> Refusal {
    QuestionAndAnswer texts;
    if (Refusal refusal = read_pair(row.fields, texts)) return refusal;
    TextPair pair;
    const infer::EncoderText source(tokenizer, texts.question);
    for (const infer::EncoderToken& token : source.truncated(limits.source)) pair.source.push_back(token.id);
    pair.target = written.around(tokenizer.encode(texts.answer, {.add_special_tokens = false}));
    if (const auto length = static_cast<int64_t>(pair.target.size()); length > limits.target)
      return {Fault::too_long,
              fmt::format("an answer of {} tokens, where {} are written at most", length, limits.target)};
    set.cut += source.size() > limits.source;
    if (set.first.empty()) set.first = fmt::format("{}\n-> {}", texts.question, texts.answer);
    pairs.push_back(std::move(pair));
    return {};
  };
  const auto read_all = [&](const std::vector<LabelledRow>& from, std::vector<TextPair>& pairs) {
    for (const LabelledRow& row : from)
      if (const Refusal refusal = read(row, pairs)) refuse(refused, row, refusal);
  };
  read_all(rows.train, set.train);
  read_all(rows.validation, set.validation);
  return set;
}

}  // namespace quern::encoding
