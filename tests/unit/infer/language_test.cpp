#include "infer/language.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "base/file.h"
#include "formats/gguf/contents.h"
#include "support/temp_dir.h"
#include "text/bpe_trainer.h"
#include "text/own_chat_form.h"

namespace quern::infer {
namespace {

using formats::GgufArray;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LanguageTest : public testing::Test {
 protected:
  // A folder with a tokenizer of bytes that knows the own chat form (ids 1 to 4), and these other files.
  Language open(std::string_view config = "{}", std::string_view generation = "",
                std::string chat_template = std::string(text::own_chat_template())) {
    text::BpeTrainOptions options;
    options.special_tokens = {"<|endoftext|>"};
    options.special_tokens.insert(options.special_tokens.end(), text::own_chat_markers().begin(),
                                  text::own_chat_markers().end());
    options.vocab_size = 261;
    options.chat_template = std::move(chat_template);
    std::optional<std::string_view> text = "text";
    const auto next = [&] { return std::exchange(text, std::nullopt); };
    text::train_bpe(next, options, null_progress()).value().save(folder_.path()).value();
    write_file_atomic(folder_ / "config.json", config).value();
    if (!generation.empty()) write_file_atomic(folder_ / "generation_config.json", generation).value();
    return open_language(folder_.path()).value();
  }

  Result<Language> open_gguf(bool add_bos, const std::string& chat_template) {
    formats::GgufContents contents;
    formats::GgufMetadata& m = contents.metadata;
    m.set("general.architecture", std::string("llama"));
    m.set("tokenizer.ggml.model", std::string("llama"));
    m.set("tokenizer.ggml.tokens",
          GgufArray(std::vector<std::string>{"<unk>", "<s>", "</s>", "<end>", "\u2581", "a"}));
    m.set("tokenizer.ggml.token_type", GgufArray(std::vector<int32_t>{2, 3, 3, 3, 1, 1}));
    m.set("tokenizer.ggml.bos_token_id", uint32_t{1});
    m.set("tokenizer.ggml.eos_token_id", uint32_t{2});
    m.set("tokenizer.ggml.add_bos_token", add_bos);
    if (!chat_template.empty()) m.set("tokenizer.chat_template", chat_template);
    const auto path = folder_ / "model.gguf";
    formats::write_gguf(path, contents, null_progress()).value();
    return open_language(path);
  }

  test::TempDir folder_;
};

TEST_F(LanguageTest, EndTokensComeFromEverywhere) {
  EXPECT_THAT(open().end_tokens, ElementsAre(0, 4));  // the tokenizer's and the template's
  const Language language = open(R"({"eos_token_id": 7})", R"({"eos_token_id": [8, 4, null, -1, "x"]})");
  EXPECT_THAT(language.listed_ends, ElementsAre(7, 8, 4));
  EXPECT_THAT(language.end_tokens, ElementsAre(0, 4, 7, 8));
  EXPECT_THAT(open(R"({"eos_token_id": null})", "", "").listed_ends, ElementsAre(8, 4));
}

TEST_F(LanguageTest, TheMakersSampling) {
  const SamplingDefaults none = open().sampling;
  EXPECT_FALSE(none.temperature || none.top_k || none.top_p || none.repetition_penalty);
  const SamplingDefaults some =
      open("{}", R"({"temperature": 0.6, "top_k": 20, "top_p": 0.95, "repetition_penalty": 1.1})").sampling;
  EXPECT_EQ(some.temperature, 0.6);
  EXPECT_EQ(some.top_k, 20);
  EXPECT_EQ(some.repetition_penalty, 1.1);
  // Numbers that nobody reads.
  const SamplingDefaults greedy =
      open("{}", R"({"do_sample": false, "temperature": 0.6, "top_k": null})").sampling;
  EXPECT_FALSE(greedy.temperature || greedy.top_k);
}

TEST_F(LanguageTest, GgufPutsABeginningWhereTheTemplateWritesNone) {
  const std::string plain = "{% for m in messages %}{{ m.content }}<end>{% endfor %}";
  EXPECT_EQ(open_gguf(true, plain)->chat_bos, 1);
  EXPECT_EQ(open_gguf(true, "{{ bos_token }}" + plain)->chat_bos, std::nullopt);
  EXPECT_EQ(open_gguf(false, plain)->chat_bos, std::nullopt);
  EXPECT_THAT(open_gguf(true, plain)->end_tokens, ElementsAre(2, 3));
  Language replaced = open_gguf(true, "{{ bos_token }}" + plain).value();
  ASSERT_TRUE(use_template(replaced, plain));
  EXPECT_EQ(replaced.chat_bos, 1);
  EXPECT_THAT(open_gguf(true, "")->templates.names(), IsEmpty());
}

TEST_F(LanguageTest, EncodesSpecialTokensOfTheTemplateOnly) {
  const Language language =
      open_gguf(true, "{% for m in messages %}{{ m.content }}<end>{% endfor %}").value();
  text::ChatRequest request;
  request.messages = {{{"role", "user"}, {"content", "a<end>"}}};
  const auto prompt = text::render_prompt(language.templates, request, language.tokenizer).value();
  const std::vector<int32_t> ids = encode_chat(language, prompt);
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(ids.back(), 3);
  EXPECT_EQ(std::ranges::count(ids, 3), 1);
}

TEST_F(LanguageTest, ErrorsNameTheFile) {
  EXPECT_THAT(open_gguf(true, "{% if %}").error().to_string(), HasSubstr("model.gguf"));
  EXPECT_EQ(open_language(folder_ / "absent").error().code, ErrorCode::not_found);
  open();
  write_file_atomic(folder_ / "generation_config.json", "{").value();
  EXPECT_THAT(open_language(folder_.path()).error().to_string(), HasSubstr("generation_config.json"));
}

}  // namespace
}  // namespace quern::infer
