#include "encoding/token_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/threads.h"
#include "data/examples/messages.h"

namespace quern::encoding {

using data::Fault;
using data::Refusal;

namespace {

struct WordRow {
  const LabelledRow* row = nullptr;
  std::string text;
  std::vector<size_t> ends;  // of each word, in bytes of the text
  std::vector<std::string> tags;
  std::vector<int32_t> labels;
};

Refusal read_word_row(const LabelledRow& from, WordRow& row) {
  row.row = &from;
  const Row* const words = find_field(from.fields, {"words", "tokens"});
  const Row* const tags = find_field(from.fields, {"tags", "ner_tags", "labels"});
  if (!words) return {Fault::missing_field, "words"};
  if (!tags) return {Fault::missing_field, "tags"};
  if (!words->is_array()) return data::bad_value("words", "a list of texts", *words);
  if (!tags->is_array() || tags->size() != words->size())
    return {Fault::bad_value, fmt::format("tags: expected a list of {}, one for each word", words->size())};
  for (size_t i = 0; i < words->size(); ++i) {
    const Row& word = (*words)[i];
    const std::optional<std::string> tag = label_name((*tags)[i]);
    if (!word.is_string()) return data::bad_value("words", "texts", word);
    if (!tag) return data::bad_value("tags", "texts or whole numbers", (*tags)[i]);
    if (word.get_ref<const std::string&>().empty()) continue;
    if (!row.text.empty()) row.text += ' ';
    row.text += word.get_ref<const std::string&>();
    row.ends.push_back(row.text.size());
    row.tags.push_back(*tag);
  }
  if (row.tags.empty()) return {Fault::nothing_learnt, "no words"};
  return {};
}

LabelledTokens tokens_of(const WordRow& row, const text::Tokenizer& tokenizer, int64_t longest, bool& cut) {
  const infer::EncoderText text(tokenizer, row.text);
  cut = text.size() > longest;
  const std::vector<infer::EncoderToken> tokens = cut ? text.truncated(longest) : text.tokens();
  LabelledTokens result{TextTokens::of(tokens), {}};
  size_t labelled = 0;  // words that have their token
  for (const infer::EncoderToken& token : tokens) {
    result.labels.push_back(-1);
    if (token.part != 0 || token.span.end <= token.span.begin) continue;
    // A token may begin with the space before its word.
    const size_t word =
        static_cast<size_t>(std::ranges::lower_bound(row.ends, token.span.end) - row.ends.begin());
    if (word >= row.ends.size() || word < labelled) continue;
    result.labels.back() = row.labels[word];
    labelled = word + 1;
  }
  return result;
}

}  // namespace

Result<TokenSet> read_tokens(const LabelledRows& rows, const text::Tokenizer& tokenizer,
                             const LabelOptions& options, RefusedRows& refused) {
  TokenSet set;
  std::vector<WordRow> read[2];
  std::set<std::string> found;
  for (size_t side = 0; side < 2; ++side) {
    for (const LabelledRow& row : side == 0 ? rows.train : rows.validation) {
      WordRow words;
      if (const Refusal refusal = read_word_row(row, words)) {
        refuse(refused, row, refusal);
        continue;
      }
      if (side == 0) found.insert(words.tags.begin(), words.tags.end());
      read[side].push_back(std::move(words));
    }
  }
  const LabelSet labels = LabelSet::choose(options.given, options.of_model, found);
  set.labels = labels.names();
  std::atomic<int64_t> cut{0};
  for (size_t side = 0; side < 2; ++side) {
    std::vector<WordRow*> kept;
    for (WordRow& row : read[side]) {
      Refusal refusal;
      for (const std::string& tag : row.tags) {
        const std::optional<int64_t> label = labels.find(tag);
        if (!label && !refusal)
          refusal = {Fault::bad_value, fmt::format("tags: '{}' is none of the labels", tag)};
        row.labels.push_back(static_cast<int32_t>(label.value_or(-1)));
      }
      if (refusal)
        refuse(refused, *row.row, refusal);
      else
        kept.push_back(&row);
    }
    std::vector<LabelledTokens>& texts = side == 0 ? set.train : set.validation;
    texts.resize(kept.size());
    parallel_for(static_cast<int64_t>(kept.size()), 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        bool shortened = false;
        texts[static_cast<size_t>(i)] =
            tokens_of(*kept[static_cast<size_t>(i)], tokenizer, options.longest, shortened);
        if (shortened) ++cut;
      }
    });
    if (side == 0 && !kept.empty()) {
      for (size_t i = 0, begin = 0; i < kept[0]->tags.size(); begin = kept[0]->ends[i++] + 1)
        set.first += fmt::format("{}{}/{}", i > 0 ? " " : "",
                                 kept[0]->text.substr(begin, kept[0]->ends[i] - begin), kept[0]->tags[i]);
    }
  }
  set.cut = cut;
  return set;
}

}  // namespace quern::encoding
