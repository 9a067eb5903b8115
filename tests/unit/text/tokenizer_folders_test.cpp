// Folders without tokenizer.json against transformers (tools/goldens/tokenizer_folders.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "text/json_fields.h"
#include "text/tiktoken_vocabularies.h"
#include "text/tokenizer.h"
#include "text/tokenizer_family.h"

namespace quern::text {
namespace {

using testing::HasSubstr;

const std::filesystem::path kFolders = quern::test::kGolden / "tokenizer_folders";

Json golden() { return Json::parse(read_file(kFolders / "folders.json").value()); }

void put(const std::string& name, const std::filesystem::path& to) {
  write_file_atomic(to, read_file(kFolders / name).value()).value();
}

void write(const std::filesystem::path& file, std::string_view content) {
  write_file_atomic(file, content).value();
}

void lay_out(const Json& row, const std::filesystem::path& folder) {
  for (const auto& [file, content] : row["files"].items()) write(folder / file, content.dump());
  for (const auto& [file, source] : row["copies"].items()) put(source.get<std::string>(), folder / file);
}

void expect_role(const Json& roles, const char* key, const std::optional<TokenId>& id) {
  EXPECT_EQ(id ? Json(*id) : Json(), roles[key]) << key;
}

TEST(TokenizerFolders, EqualTransformers) {
  const Json document = golden();
  for (const auto& [name, row] : document["folders"].items()) {
    SCOPED_TRACE(name);
    const test::TempDir dir;
    lay_out(row, dir.path());
    const auto tokenizer = Tokenizer::load(dir.path());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
    for (size_t i = 0; i < row["ids"].size(); ++i) {
      if (row["ids"][i].is_null()) continue;
      const auto text = document["texts"][i].get<std::string>();
      EXPECT_EQ(Json(tokenizer->encode(text)), row["ids"][i]) << text;
    }
    EXPECT_EQ(Json(tokenizer->encode_pair(document["pair"][0].get<std::string>(),
                                          document["pair"][1].get<std::string>())),
              row["pair"]);
    EXPECT_EQ(tokenizer->vocab_size(), row["size"]);
    expect_role(row["roles"], "bos", tokenizer->special_ids().bos);
    expect_role(row["roles"], "eos", tokenizer->special_ids().eos);
    expect_role(row["roles"], "pad", tokenizer->special_ids().pad);
  }
}

TEST(TokenizerFolders, MergesOpenByEitherName) {
  const test::TempDir dir;
  for (const char* name : {"vocab.json", "merges.txt"}) put(name, dir / name);
  const std::vector<TokenId> ids = Tokenizer::load(dir.path()).value().encode("Hello world");
  EXPECT_EQ(Tokenizer::load(dir / "vocab.json").value().encode("Hello world"), ids);
  EXPECT_EQ(Tokenizer::load(dir / "merges.txt").value().encode("Hello world"), ids);
}

TEST(TokenizerFolders, WhatIsSavedIsTheSame) {
  const Json document = golden();
  for (const char* name : {"roberta", "opt", "qwen2", "gpt2"}) {
    const test::TempDir dir, saved;
    lay_out(document["folders"][name], dir.path());
    const Tokenizer before = Tokenizer::load(dir.path()).value();
    before.save(saved.path()).value();
    const Tokenizer after = Tokenizer::load(saved.path()).value();
    for (const Json& text : document["texts"])
      EXPECT_EQ(after.encode(text.get<std::string>()), before.encode(text.get<std::string>())) << name;
    EXPECT_EQ(after.special_ids().eos, before.special_ids().eos);
  }
}

TEST(TokenizerFolders, SaysWhatWasLookedFor) {
  const test::TempDir dir;
  const auto error = [&] { return Tokenizer::load(dir.path()).error(); };
  EXPECT_EQ(error().code, ErrorCode::not_found);
  EXPECT_THAT(error().message, HasSubstr("tokenizer.json, vocab.json with merges.txt, tokenizer.model"));
  EXPECT_THAT(error().message, HasSubstr("vocab.txt"));
  put("merges.txt", dir / "merges.txt");
  EXPECT_THAT(error().hint, HasSubstr("it holds merges.txt, which needs vocab.json"));
  EXPECT_THAT(Tokenizer::load(dir / "merges.txt").error().message, HasSubstr("vocab.json"));
}

TEST(TokenizerFolders, RefusesFamiliesThatItDoesNotKnow) {
  const test::TempDir dir;
  for (const char* name : {"vocab.json", "merges.txt"}) put(name, dir / name);
  write(dir / "tokenizer_config.json", R"({"tokenizer_class": "CLIPTokenizer"})");
  const Error clip = Tokenizer::load(dir.path()).error();
  EXPECT_EQ(clip.code, ErrorCode::unsupported);
  EXPECT_THAT(clip.message, HasSubstr("'clip'"));
  EXPECT_THAT(clip.hint, HasSubstr("roberta"));
  // Without <|endoftext|> nothing says whose it is.
  std::filesystem::remove(dir / "tokenizer_config.json");
  write(dir / "vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  write(dir / "merges.txt", "a b\n");
  EXPECT_THAT(Tokenizer::load(dir.path()).error().message, HasSubstr("nothing says whose"));
}

TEST(TokenizerFolders, RefusesPiecesOfUnknownNumbers) {
  const test::TempDir dir;
  put("xlmr.model", dir / "sentencepiece.bpe.model");
  EXPECT_THAT(Tokenizer::load(dir.path()).error().message, HasSubstr("nothing says whose"));
  write(dir / "config.json", R"({"model_type": "mbart"})");
  EXPECT_THAT(Tokenizer::load(dir.path()).error().message, HasSubstr("'mbart'"));
  EXPECT_THAT(Tokenizer::load(dir.path()).error().hint, HasSubstr("xlmroberta"));
  write(dir / "config.json", R"({"model_type": "xlm-roberta"})");
  EXPECT_TRUE(Tokenizer::load(dir.path()).ok());
}

TEST(TokenizerFolders, RefusesDamagedFiles) {
  const test::TempDir dir;
  const auto code = [&] { return Tokenizer::load(dir.path()).error().code; };
  put("vocab.json", dir / "vocab.json");
  write(dir / "merges.txt", "#version: 0.2\na\n");
  EXPECT_EQ(code(), ErrorCode::corrupt);
  write(dir / "merges.txt", "a \xff\n");
  EXPECT_EQ(code(), ErrorCode::corrupt);
  put("merges.txt", dir / "merges.txt");
  EXPECT_TRUE(Tokenizer::load(dir.path()).ok());
  write(dir / "vocab.json", R"({"a": 0, "b": "1"})");
  EXPECT_EQ(code(), ErrorCode::corrupt);
  write(dir / "vocab.json", R"({"a": 0}, "x": {})");
  EXPECT_EQ(code(), ErrorCode::corrupt);
  put("vocab.json", dir / "vocab.json");
  for (const char* config :
       {"[]", R"({"added_tokens_decoder": {"x": "y"}})", R"({"added_tokens_decoder": []})",
        R"({"additional_special_tokens": 3, "added_tokens_decoder": {"-1": {"content": "a"}}})"}) {
    write(dir / "tokenizer_config.json", config);
    const auto loaded = Tokenizer::load(dir.path());
    if (std::string_view(config) != R"({"added_tokens_decoder": []})") {
      EXPECT_FALSE(loaded.ok()) << config;
    }
  }
  write(dir / "tokenizer_config.json", "{}");
  write(dir / "added_tokens.json", R"({"<tool>": -1})");
  EXPECT_EQ(code(), ErrorCode::corrupt);
}

// --- tiktoken

const std::filesystem::path kRanks = kFolders.parent_path() / "tokenizer_files/ranks.tiktoken";

void put_ranks(const std::filesystem::path& to) { write(to, read_file(kRanks).value()); }

TEST(TiktokenFiles, AreWhatTheirNameSays) {
  const std::string text = "Hello  world's 12345 \n\n e\xCC\x81 ";
  const std::string ranks = read_file(kRanks).value();
  const Json rows = Json::parse(read_file(kRanks.parent_path() / "tiktoken.json").value());
  for (const Json& row : rows) {
    const test::TempDir dir;
    put_ranks(dir / (row["name"].get<std::string>() + "_base.tiktoken"));
    const Tokenizer tokenizer = Tokenizer::load(dir.path()).value();
    const Tokenizer expected =
        read_tiktoken(ranks, {.pattern = row["pattern"], .special_tokens = {}}).value();
    EXPECT_EQ(tokenizer.encode(text), expected.encode(text)) << row["name"];
    EXPECT_EQ(tokenizer.encode("<|endoftext|>").size(), 1u);
    EXPECT_EQ(tokenizer.special_ids().eos, tokenizer.token_to_id("<|endoftext|>"));
  }
}

TEST(TiktokenFiles, AreWhatTheModelBesideThemIs) {
  const test::TempDir dir;
  put_ranks(dir / "tokenizer.model");
  const Error error = Tokenizer::load(dir.path()).error();
  EXPECT_EQ(error.code, ErrorCode::unsupported);
  EXPECT_THAT(error.hint, HasSubstr("cl100k_base (100256)"));
  write(dir / "config.json", R"({"model_type": "llama"})");
  const Tokenizer llama = Tokenizer::load(dir.path()).value();
  const auto first = llama.token_to_id("<|begin_of_text|>").value();
  EXPECT_EQ(llama.encode("a").front(), first);
  EXPECT_EQ(llama.special_ids().bos, first);
  EXPECT_EQ(llama.token_to_id("<|reserved_special_token_2|>"), first + 5);
  EXPECT_EQ(llama.token_to_id("<|reserved_special_token_247|>"), first + 255);
  EXPECT_EQ(llama.vocab_size(), first + 256);
}

TEST(TiktokenFiles, OfQwenNormaliseTexts) {
  const test::TempDir dir;
  put_ranks(dir / "qwen.tiktoken");
  const Tokenizer qwen = Tokenizer::load(dir.path()).value();
  EXPECT_EQ(qwen.encode("e\xCC\x81"), qwen.encode("\xC3\xA9"));
  EXPECT_EQ(qwen.token_to_id("<|extra_204|>"), qwen.vocab_size() - 1);
  EXPECT_EQ(qwen.token_to_id("<|im_end|>"), qwen.vocab_size() - 206);
}

TEST(TiktokenFiles, AreKnownByTheNumberOfRanks) {
  const TiktokenSpec o200k = find_tiktoken_spec("ranks", 199998, "").value();
  EXPECT_EQ(o200k.special_tokens.front().second, 199999);
  EXPECT_EQ(find_tiktoken_spec("ranks", 50280, "").value().special_tokens.front().second, 50256);
  EXPECT_EQ(find_tiktoken_spec("ranks", 100256, "llama").value().special_tokens.back().second, 100276);
}

TEST(TokenizerFamilies, AreNamedByClassAndByType) {
  EXPECT_EQ(family_key("XLMRobertaTokenizerFast"), "xlmroberta");
  EXPECT_EQ(family_key("xlm-roberta"), "xlmroberta");
  EXPECT_EQ(family_key("DebertaV2Tokenizer"), family_key("deberta-v2"));
  EXPECT_EQ(family_key("PreTrainedTokenizerFast"), "");
  EXPECT_EQ(find_tokenizer_family("clip"), nullptr);
  EXPECT_THAT(families_of_merges(), testing::AllOf(HasSubstr("gpt2"), testing::Not(HasSubstr("t5"))));
}

}  // namespace
}  // namespace quern::text
