#include "text/word_piece_trainer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "base/threads.h"
#include "text/json_fields.h"
#include "text/merge_learner.h"
#include "text/unicode.h"
#include "unit/text/training_corpus.h"

namespace quern::text {
namespace {

using test::hostile_corpus;
using test::kGolden;
using test::source_of;

Tokenizer train_word_piece_on(const std::vector<std::string>& texts, const WordPieceTrainOptions& options) {
  return train_word_piece(source_of(texts), options, null_progress()).value();
}

Json golden_runs() { return Json::parse(read_file(kGolden / "tokenizer_training/word_piece.json").value()); }

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

std::vector<std::string> vocabulary_of(const Tokenizer& tokenizer) {
  std::vector<std::string> tokens;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) tokens.push_back(tokenizer.id_to_token(id).value());
  return tokens;
}

// Hugging Face numbers the alphabet inside words as its hash table has it. From the same numbers the merges are the
// same, one for one.
TEST(WordPieceTrainer, LearnsTheTokensOfHuggingFaceFromItsAlphabet) {
  const std::vector<std::string> corpus = hostile_corpus();
  for (const Json& run : golden_runs()) {
    const std::vector<std::string> expected = run["vocabulary"];
    size_t start_size = 5;
    const auto is_symbol = [](std::string_view token) {
      if (token.size() > 2 && token.starts_with("##")) token.remove_prefix(2);
      return decode_utf8(token).length == token.size();
    };
    while (is_symbol(expected[start_size])) ++start_size;
    MergeStart start{.tokens = {expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(start_size)},
                     .spell = {},
                     .continuing_prefix = "##"};
    std::map<std::string, TokenId> ids;
    for (size_t id = 5; id < start_size; ++id) ids[expected[id]] = static_cast<TokenId>(id);
    start.spell = [&](std::string_view word, std::vector<TokenId>& symbols) {
      for (size_t at = 0; at < word.size();) {
        const size_t length = decode_utf8(word.substr(at)).length;
        const auto known = ids.find((at == 0 ? "" : "##") + std::string(word.substr(at, length)));
        if (known != ids.end()) symbols.push_back(known->second);
        at += length;
      }
    };
    const bool lowercase = run["lowercase"];
    const auto normalizers = make_normalizers({{"type", "BertNormalizer"}, {"lowercase", lowercase}}).value();
    const auto pre_tokenizers = make_pre_tokenizers({{"type", "BertPreTokenizer"}}, false).value();
    const WordCounts words =
        count_words(source_of(corpus), {normalizers, pre_tokenizers, false}, null_progress());
    const auto learned =
        learn_merges(words, std::move(start), run["vocab_size"], run["min_frequency"], null_progress());
    EXPECT_EQ(learned.value().tokens, expected);
  }
}

TEST(WordPieceTrainer, HasTheAlphabetOfHuggingFaceAndMostOfItsTokens) {
  const std::vector<std::string> corpus = hostile_corpus();
  for (const Json& run : golden_runs()) {
    const Tokenizer tokenizer = train_word_piece_on(corpus, {.vocab_size = run["vocab_size"],
                                                             .min_frequency = run["min_frequency"],
                                                             .limit_alphabet = run["limit_alphabet"],
                                                             .lowercase = run["lowercase"]});
    const std::vector<std::string> expected = run["vocabulary"], ours = vocabulary_of(tokenizer);
    const auto part = [](const std::vector<std::string>& tokens, size_t longest) {
      std::set<std::string> some(tokens.begin(), tokens.end());
      std::erase_if(some, [&](const std::string& token) {
        return characters(token) > (token.starts_with("##") ? longest + 2 : longest);
      });
      return some;
    };
    EXPECT_EQ(part(ours, 1), part(expected, 1));
    std::vector<std::string> common;
    std::ranges::set_intersection(part(ours, 99), part(expected, 99), std::back_inserter(common));
    EXPECT_GT(static_cast<double>(common.size()), 0.85 * static_cast<double>(expected.size()));
  }
}

TEST(WordPieceTrainer, WritesATokenizerInTheFormOfBert) {
  const Tokenizer tokenizer =
      train_word_piece_on({"The cat sat. The cats sat!", "the Cat's mat"}, {.vocab_size = 60});
  const std::vector<TokenId> ids = tokenizer.encode("The CATS sat");
  EXPECT_EQ(tokenizer.id_to_token(ids.front()), "[CLS]");
  EXPECT_EQ(tokenizer.id_to_token(ids.back()), "[SEP]");
  EXPECT_EQ(tokenizer.decode(ids, {.skip_special_tokens = true}), "the cats sat");
  const EncodedPair pair = tokenizer.encode_pair_with_types("cat", "mat");
  EXPECT_EQ(pair.type_ids.front(), 0u);
  EXPECT_EQ(pair.type_ids.back(), 1u);
  EXPECT_EQ(tokenizer.token_to_id("[PAD]"), 0);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("cat q")), "[CLS] cat [UNK] [SEP]");
}

TEST(WordPieceTrainer, DoesNotDependOnThreadsOrOrder) {
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i)
    texts.push_back(fmt::format("text {} of {} words, number {}", i, i * 7 % 31, i * i));
  const int threads = num_threads();
  set_num_threads(1);
  const std::string one = train_word_piece_on(texts, {.vocab_size = 200}).to_json();
  set_num_threads(3);
  std::reverse(texts.begin(), texts.end());
  const std::string three = train_word_piece_on(texts, {.vocab_size = 200}).to_json();
  set_num_threads(threads);
  EXPECT_EQ(one, three);
}

TEST(WordPieceTrainer, RareCharactersAreUnknown) {
  const std::vector<std::string> texts = {"aa bb aa bb", "xa"};
  const Tokenizer two = train_word_piece_on(texts, {.vocab_size = 30, .limit_alphabet = 2});
  EXPECT_FALSE(two.token_to_id("x"));
  const Tokenizer kept =
      train_word_piece_on(texts, {.vocab_size = 30, .limit_alphabet = 2, .initial_alphabet = "x"});
  EXPECT_TRUE(kept.token_to_id("x"));
  EXPECT_FALSE(kept.token_to_id("b"));
}

TEST(WordPieceTrainer, RefusesWhatCannotBe) {
  const std::vector<std::string> none, some = {"abcdefgh abcdefgh"};
  const auto error = [](const std::vector<std::string>& texts, const WordPieceTrainOptions& options) {
    const auto trained = train_word_piece(source_of(texts), options, null_progress());
    EXPECT_FALSE(trained.ok());
    return trained.ok() ? "" : trained.error().message;
  };
  EXPECT_THAT(error(none, {}), testing::HasSubstr("empty"));
  EXPECT_THAT(error(some, {.vocab_size = 12}), testing::HasSubstr("12 tokens is smaller than the alphabet"));
  EXPECT_THAT(error(some, {.vocab_size = 12}), testing::HasSubstr("need 20"));
  EXPECT_THAT(error(some, {.vocab_size = 1 << 30}), testing::HasSubstr("at most"));
  EXPECT_THAT(error(some, {.special_tokens = {"[UNK]"}}), testing::HasSubstr("[PAD]"));
}

}  // namespace
}  // namespace quern::text
