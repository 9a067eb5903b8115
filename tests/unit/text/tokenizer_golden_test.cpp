// Token for token what Hugging Face tokenizers gives (tools/goldens/tokenizer.py, tokenizer_components.py).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "base/file.h"
#include "support/golden.h"
#include "text/json_fields.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "unit/text/training_corpus.h"

namespace quern::text {
namespace {

using test::fnv;
using test::kGolden;
const std::filesystem::path kFolder = kGolden / "tokenizer", kComponents = kGolden / "tokenizer_components";

struct GoldenCase {
  std::string name;
  std::string json;  // the patched tokenizer.json
  Json expected;
  size_t digits;  // kept of each hash
};

Json base_document(const std::string& name) {
  const std::string file = name + ".json";
  const auto folder = std::filesystem::exists(kFolder / file) ? kFolder : kComponents;
  return Json::parse(read_file(folder / file).value());
}

void load_cases(const std::filesystem::path& folder, size_t digits, std::vector<GoldenCase>& cases) {
  std::istringstream lines(read_file(folder / "cases.jsonl").value());
  for (std::string line; std::getline(lines, line);) {
    const Json row = Json::parse(line);
    Json document = base_document(row["base"]);
    for (const auto& [key, value] : row["patch"].items()) {
      if (key == "model") {
        document["model"].update(value);
      } else if (key == "drop_merges") {
        document["model"]["merges"] = Json::array();
      } else {
        document[key] = value;
      }
    }
    cases.push_back({row["name"], document.dump(), row["expected"], digits});
  }
}

std::vector<GoldenCase> load_cases() {
  std::vector<GoldenCase> cases;
  load_cases(kFolder, 6, cases);
  load_cases(kComponents, 4, cases);
  return cases;
}

// The same texts as block_texts() of the script.
std::vector<std::string> block_texts() {
  std::vector<std::string> texts;
  for (char32_t start = 0; start < 0x110000; start += 0x2000) {
    if (start == 0x40000 || start == 0x50000 || (start >= 0x60000 && start < 0xE0000) || start >= 0xE2000)
      continue;
    std::string text;
    for (char32_t cp = start; cp < start + 0x2000; ++cp) {
      if (cp >= 0xD800 && cp < 0xE000) continue;
      text += "a";
      append_utf8(text, cp);
      text += "B ";
      append_utf8(text, cp);
      text += "1";
    }
    if (!text.empty()) texts.push_back(text);
  }
  return texts;
}

// Compares a hash with the digits that the golden kept of it.
void expect_hash(const GoldenCase& golden, const char* key, size_t i, const std::string& hash,
                 const std::string& what) {
  const size_t digits = golden.digits;
  EXPECT_EQ(hash.substr(0, digits), golden.expected[key].get<std::string>().substr(i * digits, digits))
      << key << " " << i << " " << what;
}

TEST(TokenizerGolden, EqualsHuggingFace) {
  const std::vector<std::string> texts = test::hostile_texts(), blocks = block_texts();
  for (const GoldenCase& golden : load_cases()) {
    SCOPED_TRACE(golden.name);
    const auto tokenizer = Tokenizer::from_json(golden.json);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
    ASSERT_EQ(golden.expected["ids"].get<std::string>().size(), texts.size() * golden.digits);
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<TokenId> ids = tokenizer->encode(texts[i]);
      expect_hash(golden, "ids", i, fnv(ids), texts[i]);
      const std::string other = fnv(tokenizer->decode(ids)) +
                                fnv(tokenizer->decode(ids, {.skip_special_tokens = true})) +
                                fnv(tokenizer->encode(texts[i], {.allow_special = false}));
      expect_hash(golden, "other", i, fnv(other), texts[i]);
    }
    for (size_t i = 0; i < 40; ++i)
      expect_hash(golden, "bare", i, fnv(tokenizer->encode(texts[i], {.add_special_tokens = false})),
                  texts[i]);
    for (size_t i = 0; i < 20; ++i) {
      const EncodedPair pair = tokenizer->encode_pair_with_types(texts[i], texts[20 + i]);
      expect_hash(golden, "pair", i, fnv(pair.ids), texts[i]);
      if (golden.expected.contains("types")) expect_hash(golden, "types", i, fnv(pair.type_ids), texts[i]);
    }
    for (size_t i = 0; i * golden.digits < golden.expected["blocks"].get<std::string>().size(); ++i)
      expect_hash(golden, "blocks", i, fnv(tokenizer->encode(blocks[i])), "");
  }
}

TEST(TokenizerGolden, SavesWhatItLoads) {
  for (const GoldenCase& golden : load_cases()) {
    const Tokenizer tokenizer = Tokenizer::from_json(golden.json).value();
    const std::string saved = tokenizer.to_json();
    EXPECT_EQ(Json::parse(saved)["added_tokens"], Json::parse(golden.json)["added_tokens"]);
    EXPECT_EQ(Json::parse(saved)["model"]["vocab"], Json::parse(golden.json)["model"]["vocab"])
        << golden.name;
    EXPECT_EQ(Tokenizer::from_json(saved).value().to_json(), saved);
  }
}

TEST(TokenizerGolden, OffsetsCoverTheSameTokens) {
  const std::vector<std::string> texts = test::hostile_texts();
  for (const GoldenCase& golden : load_cases()) {
    const Tokenizer tokenizer = Tokenizer::from_json(golden.json).value();
    for (const std::string& text : texts) {
      const std::vector<TokenId> ids = tokenizer.encode(text);
      const std::vector<TokenSpan> tokens = tokenizer.encode_with_spans(text);
      ASSERT_EQ(tokens.size(), ids.size()) << golden.name << " " << Json(text);
      uint32_t at = 0;
      for (size_t i = 0; i < ids.size(); ++i) {
        EXPECT_EQ(tokens[i].id, ids[i]);
        EXPECT_LE(tokens[i].span.begin, tokens[i].span.end);
        EXPECT_LE(tokens[i].span.end, text.size());
        // What a pre-tokenizer put in has an empty span, perhaps inside the character before it.
        if (tokens[i].span.begin == tokens[i].span.end) continue;
        EXPECT_GE(tokens[i].span.end, at) << golden.name << " " << Json(text);
        at = tokens[i].span.end;
      }
    }
  }
}

TEST(TokenizerGolden, StreamsWhatItDecodes) {
  const std::vector<std::string> texts = test::hostile_texts();
  for (const GoldenCase& golden : load_cases()) {
    // Its suffix stands inside tokens too, whose text then changes when another token follows.
    if (golden.name == "decode_bpe") continue;
    const Tokenizer tokenizer = Tokenizer::from_json(golden.json).value();
    StreamDecoder stream(tokenizer);
    for (const std::string& text : texts) {
      const std::vector<TokenId> ids = tokenizer.encode(text);
      std::string streamed;
      for (const TokenId id : ids) {
        const std::string fresh = stream.push(id);
        EXPECT_EQ(valid_utf8_prefix(fresh), fresh.size());
        streamed += fresh;
      }
      streamed += stream.finish();
      EXPECT_EQ(streamed, tokenizer.decode(ids)) << golden.name << " " << Json(text);
    }
  }
}

// A golden that no test reads proves nothing.
TEST(TokenizerGolden, EveryFileIsRead) {
  std::set<std::string> read = {"cases.jsonl", "texts.json", "hf_merges.json"}, there;
  for (const auto& folder : {kFolder, kComponents}) {
    std::istringstream lines(read_file(folder / "cases.jsonl").value());
    for (std::string line; std::getline(lines, line);)
      read.insert(Json::parse(line)["base"].get<std::string>() + ".json");
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      there.insert(entry.path().filename());
  }
  EXPECT_EQ(there, read);
}

}  // namespace
}  // namespace quern::text
