// What is learnt of conversations, beside transformers and TRL: tools/goldens/assistant_masks.py.
#include <gtest/gtest.h>

#include "base/file.h"
#include "data/examples/example_renderer.h"
#include "support/source_dir.h"

namespace quern::data {
namespace {

using Json = nlohmann::ordered_json;

const std::string kFolder = QUERN_SOURCE_DIR "/tests/golden/examples";

class AssistantMasks : public testing::Test {
 protected:
  TokenDocument rendered(const Json& row, bool marked, LearntPart learn) const {
    ExampleLanguage language{.tokenizer = tokenizer_};
    language.templates.set_special_token("bos_token", "<s>");
    language.templates.set_special_token("eos_token", "</s>");
    const auto source =
        golden_["templates"][row["template"].get<std::string>()][marked ? 1 : 0].get<std::string>();
    language.templates.add("default", source).value();
    for (const char* end : {"</s>", "<|im_end|>"})
      language.end_tokens.push_back(*tokenizer_.token_to_id(end));
    Example example;
    example.answer = row["messages"];
    std::vector<TokenDocument> documents;
    const Refusal refusal =
        ExampleRenderer::create(std::move(language), {.learn = learn}).value().render(example, documents);
    EXPECT_FALSE(refusal) << refusal.what;
    EXPECT_EQ(documents[0].tokens, row["ids"].get<std::vector<int32_t>>());
    return documents[0];
  }
  const text::Tokenizer tokenizer_ = text::Tokenizer::load(kFolder + "/tokenizer.json").value();
  const Json golden_ = Json::parse(read_file(kFolder + "/masks.json").value());
};

// return_assistant_tokens_mask of transformers and the labels of SFTTrainer with assistant_only_loss, which need marks in
// the template; ours are the same without them.
TEST_F(AssistantMasks, AreThoseOfTransformersWithMarksAndWithout) {
  for (const Json& row : golden_["rows"]) {
    const auto expected = row["assistant"].get<std::vector<uint8_t>>();
    EXPECT_EQ(rendered(row, true, LearntPart::assistant).learnt, expected) << row["messages"];
    EXPECT_EQ(rendered(row, false, LearntPart::assistant).learnt, expected) << row["messages"];
  }
}

// The labels of SFTTrainer; in the third conversation one token has bytes of the prompt and of the completion.
TEST_F(AssistantMasks, CompletionsAreThoseOfTrl) {
  for (const Json& row : golden_["rows"]) {
    const auto expected = row["completion"].get<std::vector<uint8_t>>();
    EXPECT_EQ(rendered(row, false, LearntPart::completion).learnt, expected) << row["messages"];
  }
}

}  // namespace
}  // namespace quern::data
