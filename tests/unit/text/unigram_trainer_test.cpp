#include "text/unigram_trainer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/threads.h"
#include "text/json_fields.h"
#include "text/unicode.h"
#include "unit/text/training_corpus.h"

namespace quern::text {
namespace {

using test::hostile_corpus;
using test::kGolden;
using test::source_of;

Tokenizer train_unigram_on(const std::vector<std::string>& texts, const UnigramTrainOptions& options) {
  return train_unigram(source_of(texts), options, null_progress()).value();
}

using Scores = std::map<std::string, double>;

Scores scores_of(const Json& pieces) {
  Scores scores;
  for (const Json& piece : pieces) scores[piece[0]] = piece[1];
  return scores;
}

Scores scores_of(const Tokenizer& tokenizer) {
  return scores_of(Json::parse(tokenizer.to_json())["model"]["vocab"]);
}

class UnigramGolden : public testing::Test {
 protected:
  Json runs_ = Json::parse(read_file(kGolden / "tokenizer_training/unigram.json").value());
  std::vector<std::string> corpus_ = hostile_corpus();
};

// Where nothing is pruned, seeds and their estimates are the same to rounding, but for characters that are nearly
// never pieces: all of them lie at the low end, in an order of their own.
TEST_F(UnigramGolden, EstimatesAreThoseOfHuggingFace) {
  Scores expected = scores_of(runs_[0]["pieces"]);
  expected.erase(std::string(1, '\0'));  // no character of a piece here
  const Scores ours = scores_of(train_unigram_on(corpus_, {.vocab_size = runs_[0]["vocab_size"]}));
  double low = 0;
  for (const auto& [piece, score] : expected) low = std::min(low, score);
  ASSERT_EQ(ours.size(), expected.size());
  for (const auto& [piece, score] : expected) {
    ASSERT_TRUE(ours.contains(piece)) << piece;
    const bool rare = score < low + 0.1 && decode_utf8(piece).length == piece.size();
    EXPECT_NEAR(ours.at(piece), score, rare ? 0.1 : 1e-7) << piece;
  }
}

TEST_F(UnigramGolden, PrunesAboutTheSamePieces) {
  const Scores expected = scores_of(runs_[1]["pieces"]);
  const Scores ours = scores_of(train_unigram_on(corpus_, {.vocab_size = runs_[1]["vocab_size"]}));
  EXPECT_EQ(ours.size(), expected.size());
  const auto common =
      std::ranges::count_if(expected, [&](const auto& piece) { return ours.contains(piece.first); });
  EXPECT_GT(static_cast<double>(common), 0.9 * static_cast<double>(expected.size()));
}

TEST(UnigramTrainer, WritesATokenizerInTheFormOfT5) {
  const Tokenizer tokenizer =
      train_unigram_on({"the cat sat on the mat", "the cats  sat", "a mat for the cat"}, {.vocab_size = 40});
  const std::vector<TokenId> ids = tokenizer.encode(" the  cat ");
  EXPECT_EQ(ids, tokenizer.encode("the cat"));
  EXPECT_EQ(ids.back(), 1);
  EXPECT_EQ(tokenizer.token_to_id("<unk>"), 2);
  EXPECT_EQ(tokenizer.special_ids().eos, 1);
  EXPECT_EQ(tokenizer.decode(ids, {.skip_special_tokens = true}), "the cat");
  EXPECT_EQ(tokenizer.encode("Z", {.add_special_tokens = false}).back(), 2);
  const auto both = tokenizer.encode_pair("the", "cat");
  EXPECT_EQ(std::ranges::count(both, 1), 2);
}

TEST(UnigramTrainer, UnknownCharactersBecomeBytes) {
  const Tokenizer tokenizer =
      train_unigram_on({"the cat sat", "the cat 0 < x > 41"}, {.vocab_size = 300, .byte_fallback = true});
  const std::string text = "the \u732b sat \U0001F63A <0x41>";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, {.add_special_tokens = false})), text);
  EXPECT_EQ(tokenizer.token_to_id("<0xE7>"), 3 + 0xE7);
}

// What is decoded is the text, but for its normal form, on texts that were not seen.
TEST(UnigramTrainer, DecodingGivesTheTextBack) {
  const std::vector<std::string> corpus = hostile_corpus();
  const Tokenizer tokenizer = train_unigram_on(corpus, {.vocab_size = 1200, .byte_fallback = true});
  for (int i = 0; i < 200; ++i) {
    std::string text = fmt::format("a{} b{:x}", i * 37, i * 911);
    if (i % 3 == 0) text += " the caf\u00e9 \u65e5\u672c";
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, {.add_special_tokens = false})), text);
  }
}

TEST(UnigramTrainer, DoesNotDependOnThreadsOrOrder) {
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i)
    texts.push_back(fmt::format("text {} of {} words, number {}", i, i * 7 % 31, i * i));
  const int threads = num_threads();
  set_num_threads(1);
  const std::string one = train_unigram_on(texts, {.vocab_size = 200}).to_json();
  set_num_threads(3);
  std::reverse(texts.begin(), texts.end());
  const std::string three = train_unigram_on(texts, {.vocab_size = 200}).to_json();
  set_num_threads(threads);
  EXPECT_EQ(one, three);
}

TEST(UnigramTrainer, RareCharactersCanBeLeftOut) {
  std::vector<std::string> texts(100, "abab baba");
  texts.emplace_back("axb");
  EXPECT_TRUE(train_unigram_on(texts, {.vocab_size = 20}).token_to_id("x"));
  const Tokenizer covered = train_unigram_on(texts, {.vocab_size = 20, .character_coverage = 0.99});
  EXPECT_FALSE(covered.token_to_id("x"));
  EXPECT_EQ(std::ranges::count(covered.encode("axb"), 2), 1);
}

TEST(UnigramTrainer, RefusesWhatCannotBe) {
  const std::vector<std::string> none, some = {"abcdefgh abcdefgh"};
  const auto error = [](const std::vector<std::string>& texts, const UnigramTrainOptions& options) {
    const auto trained = train_unigram(source_of(texts), options, null_progress());
    EXPECT_FALSE(trained.ok());
    return trained.ok() ? "" : trained.error().message;
  };
  EXPECT_THAT(error(none, {}), testing::HasSubstr("empty"));
  EXPECT_THAT(error(some, {.vocab_size = 3}), testing::HasSubstr("smaller than the alphabet"));
  EXPECT_THAT(error(some, {.vocab_size = 10}), testing::HasSubstr("9 different characters"));
  EXPECT_THAT(error(some, {.vocab_size = 200, .byte_fallback = true}), testing::HasSubstr("256 bytes"));
  EXPECT_THAT(error(some, {.special_tokens = {"</s>", "<pad>"}}), testing::HasSubstr("<unk>"));
  EXPECT_THAT(error(some, {.character_coverage = 2}), testing::HasSubstr("coverage"));
  EXPECT_THAT(error(some, {.seed_size = 2}), testing::HasSubstr("seeds"));
}

}  // namespace
}  // namespace quern::text
