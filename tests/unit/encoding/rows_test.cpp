// Rows of labelled data, read with the tokenizer of tests/golden/encoder_texts.
#include <gtest/gtest.h>

#include "base/file.h"
#include "encoding/question_rows.h"
#include "encoding/related_rows.h"
#include "encoding/sequence_rows.h"
#include "encoding/token_rows.h"
#include "support/golden.h"
#include "support/temp_dir.h"

namespace quern::encoding {
namespace {

class Rows : public testing::Test {
 protected:
  LabelledRows read(const std::string& text, const std::string& name = "rows.jsonl",
                    RowOptions options = {}) {
    const std::filesystem::path path = test::process_temp_dir() / name;
    write_file_atomic(path, text).value();
    refused_ = {};
    return read_labelled_rows(path, options, refused_).value();
  }
  SequenceSet sequences(const std::string& text, const std::string& name = "rows.jsonl",
                        LabelOptions options = {}) {
    const LabelledRows rows = read(text, name);
    return read_sequences(rows, tokenizer_, std::nullopt, options, refused_).value();
  }
  int64_t faults(data::Fault fault) const { return refused_.faults[static_cast<size_t>(fault)]; }

  text::Tokenizer tokenizer_ = text::Tokenizer::load((test::kGolden / "encoder_texts").string()).value();
  RefusedRows refused_;
};

TEST_F(Rows, OfTextsHaveLabelsInRisingOrder) {
  const SequenceSet set = sequences(R"({"text": "the mill", "label": "wind"}
{"text": "the old mill", "label": "river"}
{"text": "a new mill", "label": "wind"}
)");
  EXPECT_EQ(set.labels, (std::vector<std::string>{"river", "wind"}));
  EXPECT_EQ(set.problem, model::Problem::single_label);
  ASSERT_EQ(set.train.size(), 3U);
  EXPECT_EQ(set.train[0].text.ids, (std::vector<int32_t>{2, 5, 32, 3}));
  EXPECT_EQ(set.train[0].wanted, std::vector<double>{1.0});
  EXPECT_EQ(set.train[1].wanted, std::vector<double>{0.0});
}

TEST_F(Rows, ArePairsListsAndNumbers) {
  const SequenceSet pair = sequences(R"({"sentence1": "the mill", "sentence2": "a mill", "label": 10}
{"sentence1": "the mill", "sentence2": "a mill", "label": 9}
)");
  EXPECT_EQ(pair.labels, (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(pair.train[0].text.segments, (std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1}));
  const SequenceSet lists = sequences(R"({"text": "mill", "label": ["b", "a"]}
{"text": "mill", "label": []}
)");
  EXPECT_EQ(lists.problem, model::Problem::multi_label);
  EXPECT_EQ(lists.train[0].wanted, (std::vector<double>{1.0, 1.0}));
  EXPECT_EQ(lists.train[1].wanted, (std::vector<double>{0.0, 0.0}));
  const SequenceSet numbers = sequences(R"({"text": "mill", "label": 2.5}
{"text": "mill", "label": 3}
)");
  EXPECT_EQ(numbers.problem, model::Problem::regression);
  EXPECT_EQ(numbers.train[1].wanted, std::vector<double>{3.0});
}

TEST_F(Rows, AreRefusedByLine) {
  const SequenceSet set = sequences(R"({"text": "the mill", "label": "a"}
not json
{"label": "a"}
{"text": "  ", "label": "a"}
{"text": "the mill"}
{"text": "the mill", "label": ["a"]}
)",
                                    "rows.jsonl", {.given = {"a"}});
  // Lists are labels by themselves: the one row that has it is learnt, and those with one label are refused.
  EXPECT_EQ(set.problem, model::Problem::multi_label);
  EXPECT_EQ(set.train.size(), 1U);
  EXPECT_EQ(refused_.count(), 5);
  EXPECT_EQ(faults(data::Fault::not_json), 1);
  EXPECT_EQ(faults(data::Fault::missing_field), 2);
  EXPECT_NE(refused_.lines.find("\"line\":2,\"fault\":\"not_json\""), std::string::npos) << refused_.lines;
}

TEST_F(Rows, OfOtherLabelsThanGivenAreRefused) {
  const SequenceSet set = sequences(R"({"text": "mill", "label": 1}
{"text": "mill", "label": "c"}
)",
                                    "rows.jsonl", {.given = {"a", "b"}});
  ASSERT_EQ(set.train.size(), 1U);
  EXPECT_EQ(set.train[0].wanted, std::vector<double>{1.0});  // by its number
  EXPECT_EQ(faults(data::Fault::bad_value), 1);
}

TEST_F(Rows, OfCsvAreTextsUnderNames) {
  const SequenceSet set =
      sequences("text,label\r\n\"a \"\"mill\"\", old\",yes\r\nthe mill,no\r\n", "rows.csv");
  EXPECT_EQ(set.labels, (std::vector<std::string>{"no", "yes"}));
  ASSERT_EQ(set.train.size(), 2U);
  EXPECT_EQ(set.train[1].text.size(), 4);
  write_file_atomic(test::process_temp_dir() / "bad.csv", "text,label\nmill\n").value();
  const auto bad = read_labelled_rows(test::process_temp_dir() / "bad.csv", {}, refused_);
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message.find("bad.csv:2: 1 values, expected 2"), std::string::npos)
      << bad.error().message;
}

TEST_F(Rows, HoldAShareOut) {
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += R"({"text": "mill )" + std::to_string(i) + R"(", "label": "a"})" + "\n";
  const LabelledRows rows = read(text, "rows.jsonl", {.validation = 0.25});
  EXPECT_EQ(rows.train.size() + rows.validation.size(), 200U);
  EXPECT_GT(rows.validation.size(), 25U);
  EXPECT_LT(rows.validation.size(), 75U);
}

TEST_F(Rows, LabelTheFirstTokenOfAWord) {
  const LabelledRows rows = read(R"({"words": ["anna", "millstone", "york"], "tags": ["B-PER", "O", "B-LOC"]}
{"words": ["anna"], "tags": []}
)");
  const TokenSet set = read_tokens(rows, tokenizer_, {}, refused_).value();
  EXPECT_EQ(set.labels, (std::vector<std::string>{"B-LOC", "B-PER", "O"}));
  ASSERT_EQ(set.train.size(), 1U);
  const std::vector<int32_t>& labels = set.train[0].labels;
  // [CLS] anna mill ##s ##t ##o ##n ##e york [SEP]
  EXPECT_EQ(labels, (std::vector<int32_t>{-1, 1, 2, -1, -1, -1, -1, -1, 0, -1}));
  EXPECT_EQ(set.first, "anna/B-PER millstone/O york/B-LOC");
  EXPECT_EQ(refused_.count(), 1);
}

TEST_F(Rows, FindAnswersInWindows) {
  const LabelledRows rows = read(
      "{\"question\": \"who\", \"context\": \"\xC3\xA9 the old mill of anna grinds grain by the river\", "
      "\"answers\": {\"text\": [\"old mill\"], \"answer_start\": [6]}}\n"
      R"({"question": "who", "context": "the mill", "answers": {"text": ["river"], "answer_start": [0]}}
{"question": "who", "context": "the mill", "answers": {"text": [], "answer_start": []}}
)");
  QuestionSet set = read_questions(rows, tokenizer_, {.longest = 9, .stride = 2}, refused_).value();
  EXPECT_EQ(faults(data::Fault::not_located), 1);
  ASSERT_EQ(set.asked[0].size(), 2U);
  int64_t with_answer = 0;
  for (const ContextWindow& window : set.windows[0]) {
    EXPECT_LE(window.text.size(), 9);
    if (window.begin == 0) continue;
    ++with_answer;
    const auto begin = window.spans[static_cast<size_t>(window.begin)].begin,
               end = window.spans[static_cast<size_t>(window.end)].end;
    EXPECT_EQ(set.asked[0][window.asked].context.substr(begin, end - begin), "old mill");
  }
  EXPECT_EQ(with_answer, 1);
}

TEST_F(Rows, OfRelatedTextsAreOfOneForm) {
  const LabelledRows rows = read(R"({"anchor": "the mill", "positive": "a mill"}
{"anchor": "the mill", "positive": "a mill", "negative": "the river"}
{"anchor": "the mill"}
)");
  const RelatedSet set = read_related(rows.train, tokenizer_, 3, refused_).value();
  EXPECT_EQ(set.form, RelatedForm::pairs);
  EXPECT_EQ(set.examples.size(), 1U);
  EXPECT_EQ(set.cut, 2);
  EXPECT_EQ(set.examples[0].texts[0].ids, (std::vector<int32_t>{2, 5, 3}));
  EXPECT_EQ(faults(data::Fault::other_kind), 1);
}

}  // namespace
}  // namespace quern::encoding
