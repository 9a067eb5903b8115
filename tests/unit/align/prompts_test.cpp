// Prompts with references, as rows have them.
#include "align/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "support/temp_dir.h"
#include "unit/align/tiny_policy.h"

namespace quern::align {
namespace {

using testing::HasSubstr;

class Prompts : public testing::Test {
 protected:
  Result<PromptSet> read(const std::string& rows, const PromptOptions& options = {}) {
    return PromptSet::read(folder_.write("prompts.jsonl", rows), *loaded_, options);
  }
  std::string error(const std::string& rows, const PromptOptions& options = {}) {
    const auto prompts = read(rows, options);
    return prompts.ok() ? std::string() : prompts.error().message;
  }

  const test::TempDir folder_;
  std::shared_ptr<infer::LoadedModel> loaded_ = tiny_policy();
};

TEST_F(Prompts, AreReadAsTheyWouldBeServed) {
  ASSERT_TRUE(loaded_->templates
                  .add("default",
                       "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}"
                       "{% if add_generation_prompt %}<|assistant|>{% endif %}")
                  .ok());
  const PromptSet prompts = read(
                                "{\"prompt\": \"2 + 2 =\", \"answer\": \"4\"}\n"
                                "{\"question\": \"3?\", \"answer\": 3, \"level\": 1}\n"
                                "{\"prompt\": [{\"role\": \"user\", \"content\": \"hi <|assistant|>\"}], "
                                "\"completion\": [{\"role\": \"assistant\", \"content\": \"ho\"}]}\n")
                                .value();
  ASSERT_EQ(prompts.size(), 3);
  EXPECT_EQ(prompts[0].text, "2 + 2 =");
  EXPECT_EQ(prompts[0].tokens, loaded_->tokenizer.encode("2 + 2 ="));
  EXPECT_EQ(prompts[0].reference, "4");
  EXPECT_EQ(prompts[1].reference, "3");
  EXPECT_EQ(prompts[1].row["level"], 1);
  EXPECT_EQ(prompts[2].text, "<|user|>hi <|assistant|><|assistant|>");
  EXPECT_EQ(prompts[2].reference, "ho");
  // What was typed stays text: of the markers, two are tokens.
  EXPECT_EQ(prompts[2].tokens.size(), 2 + std::string("hi <|assistant|>").size());

  const PromptSet asked = read("{\"prompt\": \"2?\"}\n", {.texts_as_messages = true}).value();
  EXPECT_EQ(asked[0].text, "<|user|>2?<|assistant|>");
}

TEST_F(Prompts, SayWhichRowIsWrong) {
  const std::string good = "{\"prompt\": \"a\", \"answer\": \"b\"}\n";
  EXPECT_THAT(error(good + "{\"answer\": \"b\"}\n"), HasSubstr("prompts.jsonl:2: there is no prompt"));
  EXPECT_THAT(error(good + "\n{\"prompt\"\n"), HasSubstr("prompts.jsonl:3"));
  EXPECT_THAT(error("{\"prompt\": \"a\"}", {.references = true}),
              HasSubstr("there is no answer to compare with"));
  EXPECT_THAT(error("{\"prompt\": \"abcdef\"}", {.max_tokens = 5}),
              HasSubstr("the prompt has 6 tokens, and there is room for 5"));
  EXPECT_THAT(error("{\"prompt\": \"a\"}", {.max_tokens = -36}),
              HasSubstr("answers leave -36 tokens for the prompt"));
  EXPECT_THAT(error("{\"prompt\": [{\"role\": \"assistant\", \"content\": \"b\"}]}"),
              HasSubstr("end with a question"));
  EXPECT_THAT(error("{\"prompt\": 5}"), HasSubstr("prompts.jsonl:1"));
  EXPECT_THAT(error("\n"), HasSubstr("there are no prompts"));
}

TEST_F(Prompts, ComeOnceInEachEpoch) {
  const PromptSet prompts = tiny_prompts(*loaded_, 7);
  std::vector<int64_t> order;
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::set<int64_t> seen;
    for (int64_t i = 0; i < 7; ++i) {
      order.push_back(prompts.drawn(7 * epoch + i, 3));
      seen.insert(order.back());
    }
    EXPECT_EQ(seen.size(), 7u);
  }
  EXPECT_NE(std::vector(order.begin(), order.begin() + 7), std::vector(order.begin() + 7, order.end()));
  EXPECT_NE(prompts.key(), tiny_prompts(*loaded_, 6).key());
}

}  // namespace
}  // namespace quern::align
