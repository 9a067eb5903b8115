// Rows of a text and its answer, read with the tokenizer of tests/golden/encoder_texts.
#include "encoding/pair_rows.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/golden.h"
#include "support/temp_dir.h"

namespace quern::encoding {
namespace {

class PairRows : public testing::Test {
 protected:
  Result<PairSet> read(const std::string& text, PairLimits limits = {}) {
    const std::filesystem::path path = test::process_temp_dir() / "pairs.jsonl";
    write_file_atomic(path, text).value();
    refused_ = {};
    QUERN_TRY(const LabelledRows rows, read_labelled_rows(path, {}, refused_));
    return read_pairs(rows, tokenizer_, limits, refused_);
  }
  std::vector<int32_t> ids(const std::string& text) const {
    return tokenizer_.encode(text, {.add_special_tokens = false});
  }
  // A tokenizer with an end of texts, which BERT's has by another name.
  static text::Tokenizer tokenizer() {
    const std::filesystem::path folder = test::kGolden / "encoder_texts";
    return text::Tokenizer::from_json(read_file(folder / "tokenizer.json").value(),
                                      R"({"eos_token": "[SEP]"})")
        .value();
  }

  text::Tokenizer tokenizer_ = tokenizer();
  RefusedRows refused_;
};

TEST_F(PairRows, AreReadInAllTheirForms) {
  const auto set = read(
      "{\"prompt\": \"the mill\", \"completion\": \"old\"}\n"
      "{\"input\": \"the mill\", \"target\": \"old\"}\n"
      "{\"instruction\": \"the mill\", \"output\": \"old\"}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"the mill\"}, {\"role\": \"assistant\", "
      "\"content\": "
      "\"old\"}]}\n");
  ASSERT_TRUE(set.ok()) << set.error().to_string();
  EXPECT_EQ(refused_.count(), 0) << refused_.lines;
  ASSERT_EQ(set->train.size(), 4U);
  const Surroundings around = Surroundings::of(tokenizer_);
  ASSERT_EQ(around.before.size(), 1U);
  for (const TextPair& pair : set->train) {
    EXPECT_EQ(pair.source, around.around(ids("the mill")));
    EXPECT_EQ(pair.target, around.around(ids("old")));
  }
  EXPECT_EQ(set->first, "the mill\n-> old");
}

TEST_F(PairRows, ASystemMessageStandsBeforeTheQuestion) {
  const auto set = read(
      "{\"messages\": [{\"role\": \"system\", \"content\": \"the\"}, {\"role\": \"user\", \"content\": "
      "\"mill\"}, "
      "{\"role\": \"assistant\", \"content\": \"old\"}]}\n");
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->first, "the\n\nmill\n-> old");
}

TEST_F(PairRows, RefuseWhatIsNoPair) {
  const auto set = read(
      "{\"prompt\": \"the mill\", \"completion\": \"old\"}\n"
      "{\"prompt\": \"the mill\"}\n"
      "{\"target\": \"old\"}\n"
      "{\"prompt\": \"the mill\", \"chosen\": \"old\", \"rejected\": \"new\"}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": "
      "\"b\"}, "
      "{\"role\": \"user\", \"content\": \"c\"}, {\"role\": \"assistant\", \"content\": \"d\"}]}\n"
      "{\"prompt\": \"the mill\", \"completion\": \"the old mill by the river\"}\n",
      {.source = 1024, .target = 5});
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->train.size(), 1U);
  EXPECT_EQ(refused_.count(), 5);
  const auto count = [&](data::Fault fault) { return refused_.faults[static_cast<size_t>(fault)]; };
  EXPECT_EQ(count(data::Fault::bad_order), 1) << refused_.lines;
  EXPECT_EQ(count(data::Fault::too_long), 1) << refused_.lines;
  EXPECT_EQ(count(data::Fault::other_kind), 1) << refused_.lines;
}

TEST_F(PairRows, CutWhatIsRead) {
  const auto set = read("{\"prompt\": \"the old mill by the river\", \"completion\": \"old\"}\n",
                        {.source = 4, .target = 100});
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->cut, 1);
  EXPECT_EQ(set->train[0].source.size(), 4U);
  EXPECT_EQ(set->train[0].source.back(), set->train[0].target.back());
}

TEST_F(PairRows, NeedATokenThatEndsAnswers) {
  tokenizer_ = text::Tokenizer::from_json(
                   R"({"model": {"type": "WordLevel", "vocab": {"a": 0, "<unk>": 1}, "unk_token": "<unk>"}})")
                   .value();
  EXPECT_EQ(read("{\"prompt\": \"a\", \"completion\": \"a\"}\n").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace quern::encoding
