#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/golden.h"
#include "text/gguf_vocabulary.h"
#include "text/json_fields.h"
#include "text/sentencepiece.h"
#include "text/split_patterns.h"
#include "text/word_piece_trainer.h"

namespace quern::text {
namespace {

using quern::test::kGolden;

std::vector<std::string> texts() {
  return Json::parse(read_file(kGolden / "tokenizer" / "texts.json").value()).get<std::vector<std::string>>();
}

Json byte_level() { return Json::parse(read_file(kGolden / "tokenizer" / "byte_level.json").value()); }

void expect_same_ids(const Tokenizer& tokenizer, const std::string& name) {
  const auto vocabulary = make_gguf_vocabulary(tokenizer, tokenizer.vocab_size() + 2);
  ASSERT_TRUE(vocabulary.ok()) << name << vocabulary.error().to_string();
  EXPECT_EQ(vocabulary->tokens.size(), static_cast<size_t>(tokenizer.vocab_size() + 2));
  EXPECT_EQ(vocabulary->tokens.back(), "[PAD" + std::to_string(tokenizer.vocab_size() + 1) + "]");
  EXPECT_EQ(vocabulary->types.back(), static_cast<int32_t>(PieceType::unused));
  const Tokenizer again = make_tokenizer(*vocabulary).value();
  for (const std::string& text : texts()) {
    // The form of WordPiece in these files cannot tell a mark inside a word from the one before a word.
    if (vocabulary->model == "bert" && text.find("\u2581") != text.npos) continue;
    const std::vector<TokenId> ids = tokenizer.encode(text);
    EXPECT_EQ(again.encode(text), ids) << name << " " << Json(text);
    EXPECT_EQ(again.decode(ids), tokenizer.decode(ids)) << name << " " << Json(text);
  }
}

TEST(GgufVocabularyWriter, GivesBackTheSameIds) {
  expect_same_ids(Tokenizer::from_json(byte_level().dump()).value(), "byte level");
  expect_same_ids(Tokenizer::load(kGolden / "tokenizer_files" / "bpe.model").value(), "SentencePiece");
}

TEST(GgufVocabularyWriter, GivesBackTheSameIdsOfUnigramModels) {
  for (const char* name : {"unigram.model", "unigram_rules.model"}) {
    const Tokenizer tokenizer = Tokenizer::load(kGolden / "tokenizer_files" / name).value();
    expect_same_ids(tokenizer, name);
    const GgufVocabulary vocabulary = make_gguf_vocabulary(tokenizer, tokenizer.vocab_size()).value();
    EXPECT_EQ(vocabulary.model, "t5");
    EXPECT_EQ(vocabulary.scores.size(), vocabulary.tokens.size());
    EXPECT_EQ(std::ranges::count(vocabulary.types, static_cast<int32_t>(PieceType::unknown)), 1);
  }
}

TEST(GgufVocabularyWriter, GivesBackTheSameIdsOfWordPieceModels) {
  const auto trained = [](bool lowercase) {
    const std::vector<std::string> corpus = texts();
    size_t next = 0;
    const TextSource source = [&]() -> std::optional<std::string_view> {
      return next < corpus.size() ? std::optional<std::string_view>(corpus[next++]) : std::nullopt;
    };
    return train_word_piece(source, {.vocab_size = 700, .lowercase = lowercase}, null_progress()).value();
  };
  for (const bool lowercase : {true, false}) {
    const Tokenizer tokenizer = trained(lowercase);
    expect_same_ids(tokenizer, "WordPiece");
    const GgufVocabulary vocabulary = make_gguf_vocabulary(tokenizer, tokenizer.vocab_size()).value();
    EXPECT_EQ(vocabulary.model, "bert");
    EXPECT_EQ(vocabulary.lowercase, lowercase);
    EXPECT_EQ(vocabulary.cls, 2);
    EXPECT_EQ(vocabulary.sep, 3);
    EXPECT_EQ(vocabulary.mask, 4);
    EXPECT_EQ(vocabulary.tokens[0], "[PAD]");
    // Words begin with a mark, what continues them stands bare.
    EXPECT_EQ(vocabulary.tokens[static_cast<size_t>(*tokenizer.token_to_id("a"))], "\u2581a");
    EXPECT_EQ(vocabulary.tokens[static_cast<size_t>(*tokenizer.token_to_id("##a"))], "a");
  }
}

TEST(GgufVocabularyWriter, KeepsRolesAndTheTemplate) {
  const Tokenizer tokenizer =
      Tokenizer::from_json(byte_level().dump(),
                           R"({"eos_token": "<|endoftext|>", "chat_template": "{{ x }}"})")
          .value();
  const GgufVocabulary vocabulary = make_gguf_vocabulary(tokenizer, tokenizer.vocab_size()).value();
  EXPECT_EQ(vocabulary.eos, tokenizer.token_to_id("<|endoftext|>"));
  EXPECT_EQ(vocabulary.types[static_cast<size_t>(*vocabulary.eos)], static_cast<int32_t>(PieceType::control));
  EXPECT_EQ(vocabulary.bos, std::nullopt);
  EXPECT_EQ(vocabulary.chat_template, "{{ x }}");
  EXPECT_EQ(vocabulary.add_bos, false);
}

TEST(GgufVocabularyWriter, NamesWhatGgufCannotExpress) {
  const auto error = [](const char* part, const char* value) {
    Json document = byte_level();
    document[part] = Json::parse(value);
    const Tokenizer tokenizer = Tokenizer::from_json(document.dump()).value();
    return make_gguf_vocabulary(tokenizer, tokenizer.vocab_size()).error().to_string();
  };
  EXPECT_THAT(
      error("normalizer", R"({"type": "Lowercase"})"),
      testing::HasSubstr("cannot express the normalizer of tokenizer.json: {\"type\":\"Lowercase\"}"));
  EXPECT_THAT(error("pre_tokenizer", R"({"type": "Whitespace"})"), testing::HasSubstr("Whitespace"));
  EXPECT_THAT(
      error("pre_tokenizer",
            R"({"type": "Split", "pattern": {"Regex": "\\d{2}"}, "behavior": "Isolated", "invert": false})"),
      testing::HasSubstr("no name for a tokenizer that splits by \\d{2}"));
  const Tokenizer tokenizer = Tokenizer::from_json(byte_level().dump()).value();
  EXPECT_EQ(make_gguf_vocabulary(tokenizer, tokenizer.vocab_size() - 1).error().code, ErrorCode::conflict);
  const Tokenizer stripping = Tokenizer::load(kGolden / "tokenizer_files" / "bpe_symbols.model").value();
  EXPECT_THAT(make_gguf_vocabulary(stripping, stripping.vocab_size()).error().message,
              testing::HasSubstr("Strip"));
  const Json words = Json::parse(read_file(kGolden / "tokenizer_components" / "word_level.json").value());
  const Tokenizer word_level = Tokenizer::from_json(words.dump()).value();
  EXPECT_THAT(make_gguf_vocabulary(word_level, word_level.vocab_size()).error().message,
              testing::HasSubstr("WordLevel"));
}

TEST(SplitPatterns, EveryNameIsFoundByItsRules) {
  for (const char* name : {"gpt-2", "llama-bpe", "qwen2", "gpt-4o", "tekken", "deepseek-coder", "dbrx"}) {
    const SplitRules rules = find_split_rules(name).value();
    const SplitRules found = find_split_rules(find_split_name(rules).value()).value();
    EXPECT_EQ(found.patterns, rules.patterns) << name;
    EXPECT_EQ(found.ignore_merges, rules.ignore_merges) << name;
  }
  SplitRules rules = find_split_rules("qwen2").value();
  rules.nfc = false;
  EXPECT_EQ(find_split_name(rules).value(), "qwen2") << "other readers do not normalise";
}

}  // namespace
}  // namespace quern::text
