#include "encoding/sequence_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/threads.h"
#include "data/examples/messages.h"

namespace quern::encoding {

using data::Fault;
using data::Refusal;
using model::Problem;

namespace {

const Row* label_of(const Row& row) { return find_field(row, {"label", "labels", "score"}); }

struct TextRow {
  const LabelledRow* row = nullptr;
  std::string first;
  std::optional<std::string> second;
  std::vector<std::string> names;
  double number = 0.0;
};

Refusal read_text_row(const LabelledRow& from, Problem problem, TextRow& row) {
  row.row = &from;
  if (Refusal refusal = read_text(from.fields, {"text", "sentence", "sentence1", "premise"}, row.first))
    return refusal;
  if (find_field(from.fields, {"text_pair", "sentence2", "hypothesis"})) {
    row.second.emplace();
    if (Refusal refusal = read_text(from.fields, {"text_pair", "sentence2", "hypothesis"}, *row.second))
      return refusal;
  }
  const Row* const label = label_of(from.fields);
  if (!label) return {Fault::missing_field, "label"};
  if (problem == Problem::regression)
    return read_number(from.fields, {"label", "labels", "score"}, row.number);
  const bool list = problem == Problem::multi_label;
  if (list != label->is_array())
    return data::bad_value("label", list ? "a list of labels" : "one label", *label);
  for (const Row& one : list ? *label : Row::array({*label})) {
    const std::optional<std::string> name = label_name(one);
    if (!name) return data::bad_value("label", "a text or a whole number", one);
    row.names.push_back(*name);
  }
  return {};
}

Problem guess_problem(const LabelledRows& rows) {
  for (const std::vector<LabelledRow>* side : {&rows.train, &rows.validation}) {
    for (const LabelledRow& row : *side) {
      const Row* const label = label_of(row.fields);
      if (label && label->is_array()) return Problem::multi_label;
      if (label && label->is_number_float()) return Problem::regression;
    }
  }
  return Problem::single_label;
}

Refusal find_labels(const TextRow& row, const SequenceSet& set, const LabelSet& labels,
                    std::vector<double>& wanted) {
  if (set.problem == Problem::regression) {
    wanted = {row.number};
    return {};
  }
  if (set.problem == Problem::multi_label) wanted.assign(set.labels.size(), 0.0);
  for (const std::string& name : row.names) {
    const std::optional<int64_t> found = labels.find(name);
    if (!found) return {Fault::bad_value, fmt::format("label: '{}' is none of the labels", name)};
    if (set.problem == Problem::multi_label)
      wanted[static_cast<size_t>(*found)] = 1.0;
    else
      wanted = {static_cast<double>(*found)};
  }
  return {};
}

}  // namespace

Result<SequenceSet> read_sequences(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                                   std::optional<Problem> problem, const LabelOptions& options,
                                   RefusedRows& refused) {
  SequenceSet set;
  set.problem = problem.value_or(guess_problem(rows));
  std::vector<TextRow> read[2];
  std::set<std::string> found;
  for (size_t side = 0; side < 2; ++side) {
    for (const LabelledRow& row : side == 0 ? rows.train : rows.validation) {
      TextRow text;
      if (const Refusal refusal = read_text_row(row, set.problem, text)) {
        refuse(refused, row, refusal);
        continue;
      }
      if (side == 0) found.insert(text.names.begin(), text.names.end());
      read[side].push_back(std::move(text));
    }
  }
  const LabelSet labels = LabelSet::choose(options.given, options.of_model, found);
  set.labels = set.problem == Problem::regression ? std::vector<std::string>{"LABEL_0"} : labels.names();
  std::atomic<int64_t> cut{0};
  for (size_t side = 0; side < 2; ++side) {
    std::vector<LabelledText>& texts = side == 0 ? set.train : set.validation;
    std::vector<const TextRow*> kept;
    for (const TextRow& row : read[side]) {
      LabelledText text;
      if (const Refusal refusal = find_labels(row, set, labels, text.wanted)) {
        refuse(refused, *row.row, refusal);
        continue;
      }
      texts.push_back(std::move(text));
      kept.push_back(&row);
    }
    parallel_for(static_cast<int64_t>(kept.size()), 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const TextRow& row = *kept[static_cast<size_t>(i)];
        const infer::EncoderText text(tokenizer, row.first, row.second);
        const bool fits = text.size() <= options.longest;
        if (!fits) ++cut;
        texts[static_cast<size_t>(i)].text =
            TextTokens::of(fits ? text.tokens() : text.truncated(options.longest));
      }
    });
    if (side == 0 && !kept.empty()) {
      set.first = kept[0]->first + (kept[0]->second ? "\n" + *kept[0]->second : "");
      std::string names;
      for (const std::string& name : kept[0]->names) names += (names.empty() ? "" : ", ") + name;
      set.first +=
          "\n-> " + (set.problem == Problem::regression ? fmt::format("{}", kept[0]->number) : names);
    }
  }
  set.cut = cut;
  return set;
}

}  // namespace quern::encoding
