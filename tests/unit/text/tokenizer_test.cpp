#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/exception.h"
#include "base/threads.h"
#include "text/json_fields.h"
#include "text/stream_decoder.h"
#include "text/tokenizer_comparison.h"
#include "text/tokenizer_report.h"

namespace quern::text {
namespace {

Json document() {
  return Json::parse(R"({"version": "1.0", "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}, "post_processor": null,
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ã": 4, "©": 5}, "merges": [["a", "b"]]}})");
}

Tokenizer load(const Json& json) { return Tokenizer::from_json(json.dump()).value(); }

// The change of one field and what the error must say.
struct Bad {
  std::function<void(Json&)> change;
  ErrorCode code;
  std::string says;
};

TEST(Tokenizer, RefusesBadFilesWithTheReason) {
  const Bad cases[] = {
      {[](Json& j) { j["version"] = "2.0"; }, ErrorCode::unsupported, "version \"2.0\""},
      {[](Json& j) { j.erase("model"); }, ErrorCode::corrupt, "no 'model'"},
      {[](Json& j) { j["model"] = 3; }, ErrorCode::corrupt, "'model' must be an object"},
      {[](Json& j) { j["model"]["type"] = "Bigram"; }, ErrorCode::unsupported, "'Bigram'"},
      {[](Json& j) { j["model"]["type"] = "Unigram"; }, ErrorCode::corrupt, "must be a list"},
      {[](Json& j) { j["model"] = Json::parse(R"({"type": "Unigram", "vocab": [["a", 0.0], ["b"]]})"); },
       ErrorCode::corrupt, "entry 1 of 'vocab'"},
      {[](Json& j) {
         j["model"] = Json::parse(R"({"type": "Unigram", "unk_id": 1, "vocab": [["a", 0.0]]})");
       },
       ErrorCode::corrupt, "unk_id is 1"},
      {[](Json& j) {
         j["padding"] = Json::object({{"strategy", "Longest"}});
       },
       ErrorCode::corrupt, "BatchLongest"},
      {[](Json& j) {
         j["truncation"] = Json::object({{"stride", 1}});
       },
       ErrorCode::corrupt, "'max_length'"},
      {[](Json& j) { j["pre_tokenizer"] = Json::parse(R"({"type": "FixedLength", "length": 0})"); },
       ErrorCode::corrupt, "'length'"},
      {[](Json& j) { j["pre_tokenizer"] = Json::parse(R"({"type": "Metaspace", "replacement": "ab"})"); },
       ErrorCode::corrupt, "one character"},
      {[](Json& j) {
         j["normalizer"] = Json::parse(R"({"type": "Precompiled", "precompiled_charsmap": "AAAA!"})");
       },
       ErrorCode::corrupt, "base64"},
      {[](Json& j) {
         j["normalizer"] = Json::parse(R"({"type": "Precompiled", "precompiled_charsmap": "/////w=="})");
       },
       ErrorCode::corrupt, "character map"},
      {[](Json& j) {
         j["post_processor"] =
             Json::parse(R"({"type": "BertProcessing", "sep": ["x", 99], "cls": ["y", 0]})");
       },
       ErrorCode::corrupt, "id 99"},
      {[](Json& j) { j["model"].erase("vocab"); }, ErrorCode::corrupt, "no 'vocab'"},
      {[](Json& j) { j["model"]["vocab"]["c"] = -1; }, ErrorCode::corrupt, "id -1"},
      {[](Json& j) { j["model"]["vocab"]["c"] = 2000000000; }, ErrorCode::corrupt, "id 2000000000"},
      {[](Json& j) { j["model"]["vocab"]["c"] = "x"; }, ErrorCode::corrupt, "not a whole number"},
      {[](Json& j) { j["model"]["vocab"]["c"] = 1; }, ErrorCode::corrupt, "belongs to two tokens"},
      {[](Json& j) { j["model"]["merges"] = {"a x"}; }, ErrorCode::corrupt, "needs the token \"x\""},
      {[](Json& j) { j["model"]["merges"] = {"b a"}; }, ErrorCode::corrupt, "needs the token \"ba\""},
      {[](Json& j) { j["model"]["merges"] = {"a b b"}; }, ErrorCode::corrupt, "merge 0"},
      {[](Json& j) { j["model"]["merges"] = {7}; }, ErrorCode::corrupt, "merge 0"},
      {[](Json& j) { j["model"]["dropout"] = 0.1; }, ErrorCode::unsupported, "dropout"},
      {[](Json& j) { j["model"]["unk_token"] = "<unk>"; }, ErrorCode::corrupt, "<unk>"},
      {[](Json& j) {
         j["normalizer"] = Json::object({{"type", "Nnt"}});
       },
       ErrorCode::unsupported, "normalizer of type 'Nnt'"},
      {[](Json& j) {
         j["normalizer"] = Json::object({{"type", "Prepend"}});
       },
       ErrorCode::corrupt, "'prepend' must be a string"},
      {[](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = 1; }, ErrorCode::corrupt, "'add_prefix_space'"},
      {[](Json& j) { j["decoder"] = "ByteLevel"; }, ErrorCode::corrupt, "decoder"},
      {[](Json& j) { j["added_tokens"] = 5; }, ErrorCode::corrupt, "added_tokens"},
      {[](Json& j) {
         j["added_tokens"] = Json::array({Json::object({{"id", 1}})});
       },
       ErrorCode::corrupt, "'content'"},
      {[](Json& j) {
         j["post_processor"] =
             Json::parse(R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}],
                                               "pair": [], "special_tokens": {"x": {"ids": [99]}}})");
       },
       ErrorCode::corrupt, "id 99"},
      {[](Json& j) {
         Json nested = Json::object({{"type", "NFC"}});
         for (int i = 0; i < 40; ++i)
           nested = Json::object({{"type", "Sequence"}, {"normalizers", Json::array({nested})}});
         j["normalizer"] = nested;
       },
       ErrorCode::corrupt, "nested"},
  };
  for (const Bad& bad : cases) {
    Json json = document();
    bad.change(json);
    const auto loaded = Tokenizer::from_json(json.dump());
    ASSERT_FALSE(loaded.ok()) << bad.says;
    EXPECT_EQ(loaded.error().code, bad.code) << loaded.error().message;
    EXPECT_THAT(loaded.error().message, testing::HasSubstr(bad.says));
  }
}

TEST(Tokenizer, RefusesEveryTruncation) {
  const std::string json = document().dump();
  for (size_t size = 0; size < json.size(); ++size)
    EXPECT_FALSE(Tokenizer::from_json(json.substr(0, size)).ok()) << size;
  EXPECT_FALSE(Tokenizer::from_json(R"({"model":)" + std::string(100000, '[')).ok());
  EXPECT_FALSE(
      Tokenizer::from_json(R"({"model": {"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []}})").ok());
  EXPECT_EQ(Tokenizer::load("/nonexistent/folder").error().code, ErrorCode::not_found);
}

TEST(Tokenizer, RulesThatBlowUpATextAreStopped) {
  Json json = document();
  const Json twice = Json::parse(R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaa"})");
  json["normalizer"] = Json::object({{"type", "Sequence"}, {"normalizers", Json(12, twice)}});
  EXPECT_THROW(load(json).encode("aaaa"), Exception);
}

TEST(Tokenizer, KeepsTheRulesForLengths) {
  Json json = document();
  json["truncation"] =
      Json::parse(R"({"direction": "Left", "max_length": 7, "strategy": "OnlySecond", "stride": 2})");
  json["padding"] = Json::parse(R"({"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": 8,
                                    "pad_id": 3, "pad_type_id": 1, "pad_token": "ab"})");
  const Tokenizer tokenizer = load(json);
  ASSERT_TRUE(tokenizer.truncation() && tokenizer.padding());
  EXPECT_EQ(tokenizer.truncation()->side, Side::left);
  EXPECT_EQ(tokenizer.truncation()->max_length, 7u);
  EXPECT_EQ(tokenizer.truncation()->strategy, Truncation::Strategy::only_second);
  EXPECT_EQ(tokenizer.truncation()->stride, 2u);
  EXPECT_EQ(tokenizer.padding()->fixed, 12u);
  EXPECT_EQ(tokenizer.padding()->multiple_of, 8u);
  EXPECT_EQ(tokenizer.padding()->id, 3);
  EXPECT_EQ(tokenizer.padding()->type_id, 1);
  EXPECT_EQ(Json::parse(tokenizer.to_json())["padding"], json["padding"]);
  EXPECT_FALSE(load(document()).padding().has_value());
}

TEST(Tokenizer, AnUnknownWordWithoutUnknownTokenIsAnError) {
  Json json = document();
  json["pre_tokenizer"] = nullptr;
  json["model"] = Json::parse(R"({"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "[UNK]"})");
  EXPECT_EQ(load(json).encode("a"), std::vector<TokenId>{0});
  EXPECT_THROW(load(json).encode("b"), Exception);
  json["model"] = Json::parse(R"({"type": "Unigram", "vocab": [["a", -1.5]]})");
  EXPECT_EQ(load(json).encode("aa"), (std::vector<TokenId>{0, 0}));
  EXPECT_THROW(load(json).encode("ab"), Exception);
}

TEST(Tokenizer, ModelsWithoutATypeAreToldByTheirFields) {
  Json json = document();
  json["pre_tokenizer"] = nullptr;
  const std::pair<const char*, const char*> cases[] = {
      {R"({"vocab": {"a": 0}, "merges": []})", "BPE"},
      {R"({"vocab": [["a", 0.0]]})", "Unigram"},
      {R"({"vocab": {"a": 0}, "continuing_subword_prefix": "##"})", "WordPiece"},
      {R"({"vocab": {"a": 0}, "unk_token": "a"})", "WordLevel"}};
  for (const auto& [model, type] : cases) {
    json["model"] = Json::parse(model);
    EXPECT_EQ(load(json).model_type(), type);
  }
}

TEST(Tokenizer, OneLetterAMillionTimesTakesNoQuadraticTime) {
  Json json = document();
  json["model"]["vocab"] = {{"a", 0}, {"aa", 1}, {"aaaa", 2}};
  json["model"]["merges"] = {"a a", "aa aa"};
  EXPECT_EQ(load(json).encode(std::string(1 << 20, 'a')).size(), size_t{1} << 18);
}

// Merges in their order, one at a time: the definition.
std::vector<std::string> naive_merges(std::vector<std::string> symbols, const Json& merges) {
  for (bool found = true; found;) {
    found = false;
    for (const Json& merge : merges) {
      for (size_t i = 0; !found && i + 1 < symbols.size(); ++i) {
        if (symbols[i] != merge[0] || symbols[i + 1] != merge[1]) continue;
        symbols[i] += symbols[i + 1];
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        found = true;
      }
      if (found) break;
    }
  }
  return symbols;
}

// Long texts without pre-tokenizer are cut before the mark of a space; not where a merge crosses it.
TEST(Tokenizer, CutsTextAtSpacesOnlyWhereNoMergeCrosses) {
  const std::vector<std::string> letters = {"\u2581", "a", "b", "<", ">"};
  Json json = document();
  json["pre_tokenizer"] = json["decoder"] = nullptr;
  json["model"]["merges"] = Json::parse(R"([["▁", "a"], ["a", "b"], ["▁", "▁"], ["▁", "<"], [">", "▁<"],
    ["a", ">"], ["a>", "▁<"], ["▁a", "b"], ["▁▁", "ab"], ["b", "▁▁"]])");
  Json vocab = Json::object();
  const auto add = [&](const std::string& token) {
    if (!vocab.contains(token)) vocab[token] = vocab.size();
  };
  for (const std::string& letter : letters) add(letter);
  for (const Json& merge : json["model"]["merges"])
    add(merge[0].get<std::string>() + merge[1].get<std::string>());
  add("?");
  json["model"]["vocab"] = vocab;
  json["model"]["unk_token"] = "?";
  const Tokenizer tokenizer = load(json);
  uint32_t random = 1;
  for (int i = 0; i < 400; ++i) {
    std::vector<std::string> symbols;
    std::string text;
    for (int k = 0; k < 40; ++k) {
      random = random * 1664525 + 1013904223;
      symbols.push_back(letters[(random >> 16) % letters.size()]);
      text += symbols.back();
    }
    std::vector<TokenId> expected;
    for (const std::string& token : naive_merges(symbols, json["model"]["merges"]))
      expected.push_back(vocab[token]);
    ASSERT_EQ(tokenizer.encode(text), expected) << text;
  }
}

TEST(Tokenizer, ReadsInvalidUtf8AsReplacements) {
  const Tokenizer tokenizer = load(document());
  EXPECT_EQ(tokenizer.encode("ab\xC3"), tokenizer.encode("ab\uFFFD"));
  EXPECT_THROW(tokenizer.encode_with_spans("\xC3"), Exception);
}

TEST(Tokenizer, SpansPointIntoTheOriginal) {
  Json json = document();
  json["normalizer"] = Json::object({{"type", "NFC"}});
  json["pre_tokenizer"]["add_prefix_space"] = true;
  json["added_tokens"] =
      Json::array({Json::object({{"content", "<s>"}, {"special", true}, {"normalized", false}})});
  const std::vector<TokenSpan> tokens = load(json).encode_with_spans("ab<s>e\u0301 b");
  const std::vector<TokenSpan> expected = {{2, {0, 0}}, {3, {0, 2}}, {6, {2, 5}}, {2, {5, 5}},
                                           {4, {5, 8}}, {5, {5, 8}}, {2, {8, 9}}, {1, {9, 10}}};
  EXPECT_EQ(tokens, expected);
}

TEST(Tokenizer, BatchDoesNotDependOnThreads) {
  const Tokenizer tokenizer = load(document());
  const std::vector<std::string_view> texts = {"ab ab", "", "b", "aaa bbb", "\xFF", "ab"};
  const int threads = num_threads();
  set_num_threads(4);
  const auto many = tokenizer.encode_batch(texts);
  set_num_threads(threads);
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(many[i], tokenizer.encode(texts[i]));
}

TEST(Tokenizer, ReadsRolesAndTemplateFromTheConfig) {
  Json json = document();
  json["added_tokens"] = Json::array({Json::object({{"content", "<s>"}, {"special", true}})});
  const std::string config = R"({"bos_token": {"content": "<s>"}, "eos_token": "ab", "pad_token": null,
                                 "chat_template": [{"name": "tool", "template": "x"}, {"name": "default", "template": "y"}]})";
  const Tokenizer tokenizer = Tokenizer::from_json(json.dump(), config).value();
  EXPECT_EQ(tokenizer.special_ids().bos, 6);
  EXPECT_EQ(tokenizer.special_ids().eos, 3);
  EXPECT_FALSE(tokenizer.special_ids().pad.has_value());
  EXPECT_EQ(tokenizer.chat_template(), "y");
  EXPECT_EQ(tokenizer.token_to_id("<s>"), 6);
  EXPECT_EQ(tokenizer.id_to_token(2), "Ġ");
  EXPECT_FALSE(tokenizer.id_to_token(7).has_value());
  EXPECT_EQ(tokenizer.vocab_size(), 7);
  EXPECT_TRUE(tokenizer.is_special(6));
  EXPECT_FALSE(Tokenizer::from_json(json.dump(), "[]").ok());
}

TEST(Tokenizer, TakesNewTokens) {
  Json json = document();
  json["added_tokens"].push_back({{"id", 6}, {"content", "<end>"}, {"special", true}});
  const Tokenizer old =
      Tokenizer::from_json(json.dump(), R"({"added_tokens_decoder": {}, "eos_token": "<end>"})", "a template")
          .value();
  const std::vector<std::string> words{"ab b", "日"}, marks{"<tool>"};
  const Tokenizer more = old.with_tokens(words, false).value().with_tokens(marks, true).value();
  EXPECT_EQ(more.vocab_size(), 10);
  EXPECT_THAT(more.encode("aab b<tool>日<end>"), testing::ElementsAre(0, 7, 9, 8, 6));
  EXPECT_EQ(more.encode("<tool>", {.allow_special = false}).size(), old.encode("<tool>").size());
  EXPECT_EQ(more.decode(more.encode("aab b<tool>日"), {.skip_special_tokens = true}), "aab b日");
  EXPECT_EQ(more.special_ids().eos, 6);
  EXPECT_EQ(more.chat_template(), "a template");
  EXPECT_EQ(Json::parse(more.config_json())["added_tokens_decoder"]["9"]["content"], "<tool>");
  EXPECT_EQ(Tokenizer::from_json(more.to_json()).value().encode("<tool>日"), more.encode("<tool>日"));
  EXPECT_EQ(old.vocab_size(), 7);
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"ab"}, {"<end>"}, {"x", "x"}, {""}, {"é"}, {"\xff"}}) {
    EXPECT_EQ(old.with_tokens(bad, true).error().code, ErrorCode::invalid_argument) << bad[0];
  }
}

TEST(StreamDecoder, HoldsBackHalfACharacter) {
  StreamDecoder stream(load(document()));
  EXPECT_EQ(stream.push(0), "a");
  EXPECT_EQ(stream.push(4), "");
  EXPECT_EQ(stream.push(5), "\u00e9");
  EXPECT_EQ(stream.push(4), "");
  EXPECT_EQ(stream.push(0), "\uFFFDa");
  EXPECT_EQ(stream.push(4), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
}

TEST(TokenizerReport, CountsWhatItSees) {
  const std::vector<std::string_view> texts = {"ab b", "a\u00e9 \xFF"};
  const TokenizerStats stats = measure(load(document()), texts);
  EXPECT_EQ(stats.texts, 2);
  EXPECT_EQ(stats.bytes, 9);
  EXPECT_EQ(stats.characters, 8);
  EXPECT_EQ(stats.words, 4);
  EXPECT_EQ(stats.replacements, 1);
  EXPECT_EQ(stats.tokens, 7);  // ab, space, b; a, two bytes, space; no token for U+FFFD
  EXPECT_EQ(stats.used, 6);
  EXPECT_DOUBLE_EQ(stats.coverage(), 1.0);
  EXPECT_DOUBLE_EQ(measure(load(document()), {}).tokens_per_word(), 0.0);
}

TEST(TokenizerComparison, SaysWhereTokenizersPart) {
  Json other = document();
  other["model"]["merges"] = Json::array();
  const std::vector<std::string_view> texts = {"b a", "ba ab b", "ab"};
  const Tokenizer a = load(document()), b = load(other);
  const TokenizerComparison found = compare(a, b, texts);
  EXPECT_EQ(found.equal_texts, 1);
  EXPECT_EQ(found.stats[0].tokens, 3 + 6 + 1);
  EXPECT_EQ(found.stats[1].tokens, 3 + 7 + 2);
  EXPECT_EQ(found.equal_tokens, 3 + 5);
  EXPECT_EQ(found.round_trips[0], 3);
  ASSERT_TRUE(found.first.has_value());
  EXPECT_EQ(found.first->text, 1u);
  EXPECT_EQ(found.first->token, 3u);
  EXPECT_EQ(found.first->ids[0], (std::vector<TokenId>{3, 2, 1}));
  EXPECT_FALSE(compare(a, a, texts).first.has_value());
}

TEST(TokenizerReport, ShowsPiecesAndTokens) {
  EXPECT_EQ(render_splits(load(document()), "ab b"), "\"ab\"  ab 3\n\" b\"  Ġ 2, b 1\n");
}

// tokenizers 0.23.3 reads some numbers one bit off, and cuts by what it has read: both of these otherwise than the
// numbers say.
TEST(Tokenizer, WeighsScoresAsTokenizersReadsThem) {
  struct Case {
    double a, b, ab;
    std::vector<TokenId> ids;
  };
  for (const auto& [a, b, ab, ids] :
       {Case{-2.334562566177561, -1.8047222249479842, -4.1392847911255455, {0, 1}},
        Case{-2.394681586291936, -1.9553953835610323, -4.350076969852969, {2}}}) {
    Json json = document();
    json["pre_tokenizer"] = nullptr;
    const auto pair = [](const char* piece, double score) { return Json::array({piece, score}); };
    json["model"] = {{"type", "Unigram"},
                     {"vocab", Json::array({pair("a", a), pair("b", b), pair("ab", ab)})}};
    const Tokenizer tokenizer = load(json);
    EXPECT_EQ(tokenizer.encode("ab"), ids);
    EXPECT_EQ(Json::parse(tokenizer.to_json())["model"]["vocab"], json["model"]["vocab"]);
  }
}

}  // namespace
}  // namespace quern::text
