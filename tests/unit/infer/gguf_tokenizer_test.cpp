#include "infer/gguf_tokenizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern::infer {
namespace {

using formats::GgufArray;
using formats::GgufMetadata;
using testing::ElementsAre;
using testing::HasSubstr;

GgufMetadata metadata() {
  GgufMetadata m;
  m.set("tokenizer.ggml.model", std::string("llama"));
  m.set("tokenizer.ggml.tokens",
        GgufArray(std::vector<std::string>{"<unk>", "<s>", "</s>", "<end>", "\u2581", "a", "\u2581a"}));
  m.set("tokenizer.ggml.scores", GgufArray(std::vector<float>{0, 0, 0, 0, -1, -2, -3}));
  m.set("tokenizer.ggml.token_type", GgufArray(std::vector<int32_t>{2, 3, 3, 1, 1, 1, 1}));
  m.set("tokenizer.ggml.bos_token_id", uint32_t{1});
  m.set("tokenizer.ggml.eos_token_id", uint32_t{2});
  m.set("tokenizer.ggml.eot_token_id", uint32_t{3});
  m.set("tokenizer.ggml.padding_token_id", uint32_t{UINT32_MAX});
  m.set("tokenizer.chat_template", std::string("{{ bos_token }}x"));
  m.set("tokenizer.chat_template.tool_use", std::string("tools"));
  m.set("tokenizer.chat_templates", GgufArray(std::vector<std::string>{"tool_use"}));
  return m;
}

TEST(GgufTokenizer, ReadsTheVocabulary) {
  const text::GgufVocabulary vocabulary = gguf_vocabulary(metadata()).value();
  EXPECT_EQ(vocabulary.model, "llama");
  EXPECT_EQ(vocabulary.tokens.size(), 7u);
  EXPECT_EQ(vocabulary.bos, 1);
  EXPECT_EQ(vocabulary.pad, std::nullopt);
  EXPECT_EQ(vocabulary.add_bos, std::nullopt);
  const text::Tokenizer tokenizer = text::make_tokenizer(vocabulary).value();
  // The end of turn is special although its type says it is ordinary.
  EXPECT_TRUE(tokenizer.is_special(3));
  EXPECT_THAT(tokenizer.encode("a<end>"), ElementsAre(1, 6, 3));
}

TEST(GgufTokenizer, ReadsTemplatesAndEnds) {
  const text::Tokenizer tokenizer = text::make_tokenizer(gguf_vocabulary(metadata()).value()).value();
  const text::ChatTemplates templates = gguf_templates(metadata(), tokenizer).value();
  text::ChatRequest request;
  request.messages = {{{"role", "user"}, {"content", "hi"}}};
  EXPECT_EQ(templates.render(request).value().text, "<s>x");
  request.template_name = "tool_use";
  EXPECT_EQ(templates.render(request).value().text, "tools");
  EXPECT_THAT(gguf_end_tokens(metadata()).value(), ElementsAre(2, 3));
}

TEST(GgufTokenizer, ReadsHowItsMakersSample) {
  GgufMetadata m = metadata();
  EXPECT_FALSE(gguf_sampling(m).value().temperature);
  m.set("general.sampling.temp", 0.5f);
  m.set("general.sampling.top_k", int32_t{40});
  EXPECT_EQ(gguf_sampling(m).value().temperature, 0.5);
  EXPECT_EQ(gguf_sampling(m).value().top_k, 40);
}

TEST(GgufTokenizer, RefusesWhatIsWrong) {
  EXPECT_EQ(gguf_vocabulary({}).error().code, ErrorCode::not_found);
  const auto with = [](const char* key, formats::GgufValue value) {
    GgufMetadata m = metadata();
    m.set(key, std::move(value));
    return m;
  };
  const GgufMetadata wrong = with("tokenizer.ggml.tokens", GgufArray(std::vector<int32_t>{1}));
  EXPECT_THAT(gguf_vocabulary(wrong).error().message, HasSubstr("tokenizer.ggml.tokens"));
  EXPECT_EQ(gguf_vocabulary(with("tokenizer.ggml.eos_token_id", std::string("2"))).error().code,
            ErrorCode::corrupt);
  EXPECT_EQ(gguf_vocabulary(with("tokenizer.ggml.eos_token_id", uint32_t{3'000'000'000u})).error().code,
            ErrorCode::corrupt);
  const auto outside = gguf_vocabulary(with("tokenizer.ggml.eot_token_id", uint32_t{7})).value();
  EXPECT_EQ(text::make_tokenizer(outside).error().code, ErrorCode::corrupt);
  const text::Tokenizer tokenizer = text::make_tokenizer(gguf_vocabulary(metadata()).value()).value();
  EXPECT_FALSE(gguf_templates(with("tokenizer.chat_template", std::string("{% if %}")), tokenizer).ok());
}

// llama.cpp #26690: the elements of an array were read as what they should have been.
TEST(GgufTokenizer, RefusesArraysOfOtherElements) {
  const GgufArray strings(std::vector<std::string>(7, "x"));
  const GgufArray floats(std::vector<float>(7, 1e30f));
  const std::vector<std::pair<const char*, GgufArray>> attacks = {
      {"tokens", floats},     {"scores", strings}, {"token_type", strings},
      {"token_type", floats}, {"merges", floats},  {"precompiled_charsmap", strings}};
  for (const auto& [key, array] : attacks) {
    GgufMetadata m = metadata();
    m.set(fmt::format("tokenizer.ggml.{}", key), array);
    const auto refused = gguf_vocabulary(m);
    ASSERT_FALSE(refused.ok()) << key;
    EXPECT_EQ(refused.error().code, ErrorCode::corrupt) << key;
    EXPECT_THAT(refused.error().message, HasSubstr(key));
  }
}

}  // namespace
}  // namespace quern::infer
