// SentencePiece models and tiktoken ranks against their own libraries (tools/goldens/tokenizer_files.py).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "base/file.h"
#include "support/golden.h"
#include "text/gguf_vocabulary.h"
#include "text/json_fields.h"
#include "text/sentencepiece.h"
#include "text/tiktoken.h"
#include "unit/text/training_corpus.h"

namespace quern::text {
namespace {

using test::kGolden;

const std::filesystem::path kFiles = kGolden / "tokenizer_files";
constexpr EncodeOptions kPlain = {.add_special_tokens = false, .allow_special = false};

// Four digits name a result.
std::string name_of(const auto& result) { return test::fnv(result).substr(0, 4); }

std::string kept(const Json& golden, const char* key, size_t i) {
  return golden[key].get<std::string>().substr(i * 4, 4);
}

TEST(SentencePiece, EqualsTheLibraryBothWays) {
  const Json rows = Json::parse(read_file(kFiles / "sentencepiece.json").value());
  const std::vector<std::string> texts = test::hostile_texts();
  for (const auto& [name, golden] : rows.items()) {
    SCOPED_TRACE(name);
    const auto tokenizer = Tokenizer::load(kFiles / (name + ".model"));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<TokenId> ids = tokenizer->encode(texts[i], kPlain);
      EXPECT_EQ(name_of(ids), kept(golden, "ids", i)) << i << " " << Json(texts[i]) << " " << Json(ids);
      EXPECT_EQ(name_of(tokenizer->decode(ids)), kept(golden, "texts", i)) << i << " " << Json(texts[i]);
    }
    std::vector<TokenId> every(static_cast<size_t>(tokenizer->vocab_size()));
    std::iota(every.begin(), every.end(), 0);
    for (size_t i = 0; i < every.size(); i += 97) {
      std::vector<TokenId> mixed(every.begin() + static_cast<std::ptrdiff_t>(i), every.end());
      for (size_t j = 0; j < i; j += 7) mixed.push_back(every[j]);
      EXPECT_EQ(name_of(tokenizer->decode(mixed)), kept(golden, "mixed", i / 97)) << i;
    }
    // What it saves loads, and has the same tokens.
    const auto saved = Tokenizer::from_json(tokenizer->to_json());
    ASSERT_TRUE(saved.ok()) << saved.error().to_string();
    EXPECT_EQ(saved->vocab_size(), tokenizer->vocab_size());
  }
}

TEST(SentencePiece, ReadsControlSymbolsWhenAllowed) {
  const Tokenizer tokenizer = Tokenizer::load(kFiles / "bpe.model").value();
  const TokenId bos = tokenizer.special_ids().bos.value();
  EXPECT_THAT(tokenizer.encode("<s>a"), testing::Contains(bos));
  EXPECT_THAT(tokenizer.encode("<s>a", kPlain), testing::Not(testing::Contains(bos)));
}

TEST(SentencePiece, RefusesEveryTruncationOrReadsLess) {
  const std::string bytes = read_file(kFiles / "unigram_symbols.model").value();
  size_t refused = 0;
  for (size_t size = 0; size < bytes.size(); size += 3) {
    const auto model = SentencePieceModel::parse(std::string_view(bytes).substr(0, size));
    refused += !model.ok() || !make_tokenizer(*model).ok();
  }
  EXPECT_GT(refused, bytes.size() / 6);
}

TEST(SentencePiece, RefusesImpossibleModels) {
  SentencePieceModel model;
  EXPECT_EQ(make_tokenizer(model).error().code, ErrorCode::corrupt);  // no unknown piece
  model.pieces = {{"<unk>", 0, PieceType::unknown}, {"a", -1, PieceType::normal}};
  EXPECT_TRUE(make_tokenizer(model).ok());
  model.pieces.push_back({"a", -2, PieceType::normal});
  EXPECT_EQ(make_tokenizer(model).error().code, ErrorCode::corrupt);
  model.pieces.back() = {"", -2, PieceType::normal};
  EXPECT_EQ(make_tokenizer(model).error().code, ErrorCode::corrupt);
  model.pieces.back() = {"b", NAN, PieceType::normal};
  EXPECT_EQ(make_tokenizer(model).error().code, ErrorCode::corrupt);
  model.pieces.back() = {"b", -2, PieceType::unused};
  EXPECT_TRUE(make_tokenizer(model).ok());
  model.kind = SentencePieceModel::Kind::bpe;
  EXPECT_EQ(make_tokenizer(model).error().code, ErrorCode::unsupported);
  model.pieces.pop_back();
  model.byte_fallback = true;
  EXPECT_THAT(make_tokenizer(model).error().message, testing::HasSubstr("<0x00>"));
  model.byte_fallback = false;
  model.charsmap = "abcdefgh";
  EXPECT_EQ(make_tokenizer(model).error().code, ErrorCode::corrupt);
  EXPECT_EQ(SentencePieceModel::parse("\x12\x02\x18\x04").error().code, ErrorCode::unsupported);
}

TEST(Tiktoken, EqualsTheLibrary) {
  const Json rows = Json::parse(read_file(kFiles / "tiktoken.json").value());
  const std::string ranks = read_file(kFiles / "ranks.tiktoken").value();
  const std::vector<std::string> texts = test::hostile_texts();
  for (const Json& golden : rows) {
    SCOPED_TRACE(golden["name"]);
    TiktokenSpec spec{.pattern = golden["pattern"], .special_tokens = {}};
    for (const auto& [token, id] : golden["special_tokens"].items())
      spec.special_tokens.push_back({token, id});
    const auto tokenizer = read_tiktoken(ranks, spec);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
    const Tokenizer saved = Tokenizer::from_json(tokenizer->to_json()).value();
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<TokenId> ids = tokenizer->encode(texts[i]);
      EXPECT_EQ(name_of(ids), kept(golden, "ids", i)) << i << " " << Json(texts[i]);
      EXPECT_EQ(name_of(tokenizer->encode(texts[i], kPlain)), kept(golden, "plain", i)) << Json(texts[i]);
      EXPECT_EQ(name_of(tokenizer->decode(ids)), kept(golden, "texts", i)) << i << " " << Json(texts[i]);
      EXPECT_EQ(saved.encode(texts[i]), ids);
    }
  }
}

TEST(Tiktoken, RefusesBadFiles) {
  const TiktokenSpec spec{.pattern = ".", .special_tokens = {}};
  for (const char* ranks : {"YQ==", "YQ== x", "YQ== -1", "!! 0", "YQ== 0\nYQ== 1", "YQ== 0\nYg== 0", " 0",
                            "YQ== 99999999999999999999", "YQ== 500"}) {
    EXPECT_EQ(read_tiktoken(ranks, spec).error().code, ErrorCode::corrupt) << ranks;
  }
  EXPECT_EQ(read_tiktoken("YQ== 0\n", {.pattern = ".", .special_tokens = {{"<s>", 0}}}).error().code,
            ErrorCode::invalid_argument);
}

// --- GGUF

GgufVocabulary of_sentencepiece(const SentencePieceModel& model) {
  GgufVocabulary vocabulary{.model = model.kind == SentencePieceModel::Kind::bpe ? "llama" : "t5"};
  for (const Piece& piece : model.pieces) {
    vocabulary.tokens.push_back(piece.text);
    vocabulary.scores.push_back(piece.score);
    vocabulary.types.push_back(static_cast<int32_t>(piece.type));
  }
  vocabulary.bos = model.bos;
  vocabulary.eos = model.eos;
  vocabulary.add_space_prefix = model.add_dummy_prefix;
  vocabulary.remove_extra_whitespaces = model.remove_extra_whitespaces;
  vocabulary.precompiled_charsmap = model.charsmap;
  return vocabulary;
}

TEST(GgufVocabulary, SentencePieceVocabulariesGiveTheSameIds) {
  for (const char* name : {"bpe", "bpe_symbols", "unigram", "unigram_rules"}) {
    const std::string bytes = read_file(kFiles / (std::string(name) + ".model")).value();
    const SentencePieceModel model = SentencePieceModel::parse(bytes).value();
    const Tokenizer original = make_tokenizer(model).value();
    const Tokenizer tokenizer = make_tokenizer(of_sentencepiece(model)).value();
    for (const std::string& text : test::hostile_texts())
      EXPECT_EQ(tokenizer.encode(text, kPlain), original.encode(text, kPlain)) << name << Json(text);
    const std::vector<TokenId> ids = tokenizer.encode("a");
    EXPECT_EQ(model.kind == SentencePieceModel::Kind::bpe ? ids.front() : ids.back(),
              model.kind == SentencePieceModel::Kind::bpe ? model.bos : model.eos);
  }
}

TEST(GgufVocabulary, ByteLevelBpeGivesTheIdsOfTokenizerJson) {
  const Json document = Json::parse(read_file(kGolden / "tokenizer/byte_level.json").value());
  GgufVocabulary vocabulary{.model = "gpt2", .pre = "gpt-2"};
  for (const auto& [token, id] : document["model"]["vocab"].items()) {
    EXPECT_EQ(id, vocabulary.tokens.size());
    vocabulary.tokens.push_back(token);
    vocabulary.types.push_back(token == "<|endoftext|>" ? 3 : 1);
  }
  for (const Json& merge : document["model"]["merges"])
    vocabulary.merges.push_back(merge.is_string()
                                    ? merge.get<std::string>()
                                    : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  vocabulary.eos = 0;
  const Tokenizer tokenizer = make_tokenizer(vocabulary).value();
  const Tokenizer original = Tokenizer::from_json(document.dump()).value();
  EXPECT_EQ(tokenizer.special_ids().eos, 0);
  for (const std::string& text : test::hostile_texts())
    EXPECT_EQ(tokenizer.encode(text), original.encode(text)) << Json(text);
}

TEST(GgufVocabulary, WordPiecesLoseTheirMarks) {
  const GgufVocabulary vocabulary{
      .model = "bert",
      .tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581un", "able", "\u2581a"},
      .types = {3, 3, 3, 3, 1, 1, 1},
      .unk = 1,
      .sep = 3,
      .cls = 2};
  const Tokenizer tokenizer = make_tokenizer(vocabulary).value();
  EXPECT_EQ(tokenizer.encode("Unable a b"), (std::vector<TokenId>{2, 4, 5, 6, 1, 3}));
  EXPECT_EQ(tokenizer.encode_pair("a", "un"), (std::vector<TokenId>{2, 6, 3, 4, 3}));
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{4, 5, 6}), "unable a");
}

TEST(GgufVocabulary, RefusesWhatDoesNotFit) {
  const GgufVocabulary good{.model = "gpt2", .tokens = {"a", "b", "ab"}, .merges = {"a b"}};
  EXPECT_TRUE(make_tokenizer(good).ok());
  const auto changed = [&](auto change) {
    GgufVocabulary bad = good;
    change(bad);
    return make_tokenizer(bad).error();
  };
  EXPECT_EQ(changed([](auto& v) { v.model = "rwkv"; }).code, ErrorCode::unsupported);
  EXPECT_THAT(changed([](auto& v) { v.pre = "new"; }).hint, testing::HasSubstr("llama-bpe"));
  EXPECT_EQ(changed([](auto& v) { v.scores = {1}; }).code, ErrorCode::corrupt);
  EXPECT_EQ(changed([](auto& v) { v.types = {1, 1, 9}; }).code, ErrorCode::corrupt);
  EXPECT_EQ(changed([](auto& v) { v.eos = 3; }).code, ErrorCode::corrupt);
  EXPECT_EQ(changed([](auto& v) { v.merges = {"a c"}; }).code, ErrorCode::corrupt);
  EXPECT_EQ(changed([](auto& v) { v.merges = {"ab"}; }).code, ErrorCode::corrupt);
  EXPECT_EQ(changed([](auto& v) { v.tokens = {}; }).code, ErrorCode::corrupt);
}

// llama.cpp #25969: a token that says it is a byte, and is none, was written before the beginning of a table.
TEST(GgufVocabulary, RefusesBytesThatAreNone) {
  for (const char* model : {"llama", "t5"}) {
    GgufVocabulary vocabulary{.model = model, .tokens = {"<unk>", "a"}, .types = {2, 1}, .unk = 0};
    for (int byte = 0; byte < 256; ++byte) {
      vocabulary.tokens.push_back(fmt::format("<0x{:02X}>", byte));
      vocabulary.types.push_back(6);
    }
    vocabulary.scores.resize(vocabulary.tokens.size());
    const Tokenizer whole = make_tokenizer(vocabulary).value();
    EXPECT_EQ(whole.decode(std::vector<TokenId>{2 + 'b'}), "b") << model;
    for (const char* token :
         {"<0x-1>", "<0x+1>", "<0x 1>", "<0x1>", "<0x100>", "<0xGG>", "b", "000x41", "<0x41 "}) {
      GgufVocabulary hostile = vocabulary;
      hostile.tokens.emplace_back(token);
      hostile.types.push_back(6);
      hostile.scores.push_back(0);
      const auto refused = make_tokenizer(hostile);
      ASSERT_FALSE(refused.ok()) << model << ' ' << token;
      EXPECT_EQ(refused.error().code, ErrorCode::corrupt);
      EXPECT_THAT(refused.error().message, testing::HasSubstr(fmt::format("{:?}", std::string_view(token))));
      hostile.types.back() = 1;  // an ordinary piece may be spelt like that
      EXPECT_TRUE(make_tokenizer(hostile).ok()) << model << ' ' << token;
    }
  }
}

// A golden that no test reads proves nothing.
TEST(SentencePiece, EveryFileIsRead) {
  const Json rows = Json::parse(read_file(kFiles / "sentencepiece.json").value());
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFiles)) files += entry.is_regular_file();
  EXPECT_EQ(files, rows.size() + 3);
}

}  // namespace
}  // namespace quern::text
