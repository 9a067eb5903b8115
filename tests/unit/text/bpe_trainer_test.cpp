#include "text/bpe_trainer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/threads.h"
#include "support/golden.h"
#include "text/json_fields.h"
#include "unit/text/training_corpus.h"

namespace quern::text {
namespace {

using test::fnv;
using test::kGolden;
using test::source_of;

Tokenizer train_bpe_on(const std::vector<std::string>& texts, const BpeTrainOptions& options) {
  return train_bpe(source_of(texts), options, null_progress()).value();
}

std::vector<std::string> merges_of(const Tokenizer& tokenizer) {
  std::vector<std::string> merges;
  const Json document = Json::parse(tokenizer.to_json());
  for (const Json& merge : document["model"]["merges"]) {
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return merges;
}

TEST(BpeTrainer, LearnsTheMergesOfHuggingFace) {
  const std::vector<std::string> corpus = test::hostile_corpus();
  for (const Json& run : Json::parse(read_file(kGolden / "tokenizer/hf_merges.json").value())) {
    SCOPED_TRACE(run.dump());
    const Tokenizer tokenizer = train_bpe_on(corpus, {.vocab_size = run["vocab_size"],
                                                      .min_frequency = run["min_frequency"],
                                                      .special_tokens = {"<|endoftext|>", "<s>", "aa"},
                                                      .pattern = run["pattern"],
                                                      .nfc = run["nfc"]});
    const std::vector<std::string> merges = merges_of(tokenizer);
    for (size_t i = 0; i < 10; ++i) EXPECT_EQ(merges.at(i), run["first"][i].get<std::string>()) << i;
    EXPECT_EQ(merges.size(), run["merges"].get<size_t>());
    EXPECT_EQ(tokenizer.vocab_size(), run["vocabulary"].get<int64_t>());
    EXPECT_EQ(fnv(fmt::format("{}", fmt::join(merges, "\n"))), run["hash"].get<std::string>());
  }
}

TEST(BpeTrainer, BreaksTiesBySmallerIds) {
  // "ab" and "cd" are equally frequent: a < c.
  const Tokenizer tokenizer = train_bpe_on({"cd", "ab", "cd", "ab"}, {.vocab_size = 300});
  EXPECT_EQ(merges_of(tokenizer), (std::vector<std::string>{"a b", "c d"}));
}

TEST(BpeTrainer, DoesNotDependOnThreadsOrOrder) {
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i)
    texts.push_back(fmt::format("text {} of {} words, number {}", i, i * 7 % 31, i * i));
  const int threads = num_threads();
  set_num_threads(1);
  const std::string one = train_bpe_on(texts, {.vocab_size = 500}).to_json();
  set_num_threads(3);
  std::reverse(texts.begin(), texts.end());
  const std::string three = train_bpe_on(texts, {.vocab_size = 500}).to_json();
  set_num_threads(threads);
  EXPECT_EQ(one, three);
}

TEST(BpeTrainer, RunsOfOneLetterMergeLeftToRight) {
  // aaa aaaa: (a,a) 5 times, then (aa,aa) and (aa,a) once each: tokens of equal spelling share an id.
  const Tokenizer tokenizer =
      train_bpe_on({"aaaaaaa", "aaaaaaa aaa"}, {.vocab_size = 270, .min_frequency = 1, .pattern = "gpt2"});
  EXPECT_EQ(tokenizer.encode("aaaaaaa").size(), 1u);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("aaaaaaaaaaaaa")), "aaaaaaaaaaaaa");
}

TEST(BpeTrainer, RefusesAVocabularySmallerThanTheAlphabet) {
  const std::vector<std::string> texts = {"abc"};
  const auto trained = train_bpe(source_of(texts), {.vocab_size = 200}, null_progress());
  ASSERT_FALSE(trained.ok());
  EXPECT_EQ(trained.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(trained.error().message, testing::HasSubstr("200 tokens is smaller than the alphabet"));
  EXPECT_THAT(trained.error().message, testing::HasSubstr("257"));
}

TEST(BpeTrainer, RefusesAnEmptyCorpusAndForeignRoles) {
  const std::vector<std::string> none, some = {"abc"};
  EXPECT_FALSE(train_bpe(source_of(none), {}, null_progress()).ok());
  EXPECT_FALSE(train_bpe(source_of(some), {.special_tokens = {"<a>", "<a>"}}, null_progress()).ok());
  EXPECT_FALSE(train_bpe(source_of(some), {.pad_token = "<pad>"}, null_progress()).ok());
  EXPECT_FALSE(train_bpe(source_of(some), {.pattern = "(("}, null_progress()).ok());
}

TEST(BpeTrainer, PutsTheBeginningTokenBeforeEveryText) {
  const Tokenizer tokenizer = train_bpe_on(
      {"aa"}, {.vocab_size = 258, .special_tokens = {"<|endoftext|>", "<s>"}, .bos_token = "<s>"});
  const std::vector<TokenId> bare = tokenizer.encode("ab", {.add_special_tokens = false});
  EXPECT_EQ(bare.size(), 2u);
  EXPECT_EQ(tokenizer.encode("ab"), (std::vector<TokenId>{1, bare[0], bare[1]}));
  EXPECT_EQ(tokenizer.encode_pair("a", "b"), (std::vector<TokenId>{1, bare[0], 1, bare[1]}));
}

TEST(BpeTrainer, WritesAFolderThatLoadsAgain) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "quern_tokenizer";
  const Tokenizer tokenizer =
      train_bpe_on({"hello hello world\xFF"}, {.vocab_size = 270, .chat_template = "{{ messages }}"});
  ASSERT_TRUE(tokenizer.save(folder).ok());
  const Tokenizer loaded = Tokenizer::load(folder).value();
  std::filesystem::remove_all(folder);
  EXPECT_EQ(loaded.to_json(), tokenizer.to_json());
  EXPECT_EQ(loaded.chat_template(), "{{ messages }}");
  EXPECT_EQ(loaded.special_ids().eos, 0);
  EXPECT_EQ(loaded.encode("hello<|endoftext|>").back(), 0);
  EXPECT_NE(loaded.encode("hello<|endoftext|>", {.allow_special = false}).back(), 0);
}

}  // namespace
}  // namespace quern::text
