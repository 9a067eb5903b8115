#include "writing/local_respondent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "align/rollout.h"
#include "base/interrupt.h"
#include "unit/align/tiny_policy.h"
#include "unit/writing/scripted_respondent.h"

namespace quern::writing {
namespace {

constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.content }};{% endfor %}{% if add_generation_prompt %}>{% endif %}";

std::shared_ptr<infer::LoadedModel> tiny_chat() {
  auto loaded = align::tiny_policy();
  EXPECT_TRUE(loaded->templates.add("default", kTemplate).ok());
  return loaded;
}

TEST(LocalRespondent, AnswersAsRolloutsDo) {
  const auto loaded = tiny_chat();
  std::vector<Question> asked = questions(4);
  asked.push_back({.asked = "a text", .stream = 4});
  const auto model = LocalRespondent::create(loaded, 64, 3).value();
  const auto replies = model->ask(asked, {.max_tokens = 20, .temperature = 0.8, .seed = 5}).value();
  std::vector<std::vector<int32_t>> prompts;
  for (int i = 0; i < 4; ++i) prompts.push_back(loaded->tokenizer.encode("q" + std::to_string(i) + ";>"));
  prompts.push_back(loaded->tokenizer.encode("a text"));
  std::vector<std::span<const int32_t>> views(prompts.begin(), prompts.end());
  auto rollouts =
      align::Rollouts::create(loaded, {.max_tokens = 20, .temperature = 0.8, .decoded = false, .seed = 5}, 44)
          .value();
  const auto wanted = rollouts.sample(views, 1, 0).value();
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(replies[i].drawn, wanted[i].tokens);
    EXPECT_EQ(replies[i].text, wanted[i].text);
    EXPECT_EQ(replies[i].ended, wanted[i].ended);
    EXPECT_EQ(replies[i].tokens, static_cast<int64_t>(wanted[i].tokens.size()) - (wanted[i].ended ? 1 : 0));
  }
}

TEST(LocalRespondent, CompanyChangesNoAnswer) {
  const auto loaded = tiny_chat();
  const auto asked = questions(6);
  const AskOptions options{.max_tokens = 16, .seed = 9};
  const auto wide = LocalRespondent::create(loaded, 64, 8).value()->ask(asked, options).value();
  const auto narrow = LocalRespondent::create(loaded, 64, 1).value();
  for (size_t i = 0; i < asked.size(); ++i)
    EXPECT_EQ(narrow->ask(std::span(&asked[i], 1), options).value()[0].drawn, wide[i].drawn);
}

TEST(LocalRespondent, TellsHowLikelyChoicesAre) {
  const auto loaded = tiny_chat();
  const auto model = LocalRespondent::create(loaded, 64, 8).value();
  const AskOptions options{.choices = {"A", "B"}};
  const auto replies = model->ask(questions(3), options).value();
  for (size_t i = 0; i < 3; ++i) {
    // The model's own distribution behind the question.
    infer::Session session(loaded->model, 0);
    const auto prompt = loaded->tokenizer.encode("q" + std::to_string(i) + ";>");
    ASSERT_TRUE(session.set_tokens(prompt).ok());
    const std::span<const float> row = session.logits();
    double sum = 0.0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit));
    for (size_t c = 0; c < 2; ++c) {
      const int32_t id = loaded->tokenizer.encode(options.choices[c]).at(0);
      EXPECT_NEAR(replies[i].choices[c], std::exp(static_cast<double>(row[static_cast<size_t>(id)])) / sum,
                  1e-6);
    }
    EXPECT_GT(replies[i].choices[0], 0.0);
    EXPECT_NE(replies[i].choices[0], replies[i].choices[1]);
  }
}

TEST(LocalRespondent, RefusesQuestionsThatDoNotFitAndAnswersTheOthers) {
  const auto model = LocalRespondent::create(tiny_chat(), 40, 8).value();
  const std::vector<Question> asked = {question(std::string(50, 'x'), 0), question("short", 1)};
  const auto replies = model->ask(asked, {.max_tokens = 8}).value();
  EXPECT_THAT(replies[0].refusal, testing::HasSubstr("52 tokens"));
  EXPECT_EQ(replies[1].refusal, "");
  EXPECT_GT(replies[1].drawn.size(), 0u);
  EXPECT_THAT(LocalRespondent::create(tiny_chat(), 97, 1).error().message,
              testing::HasSubstr("96 positions"));
}

TEST(Respondent, KnowsWhichChoiceATokenIs) {
  const std::vector<std::string> choices = {"A", "B"};
  for (const char* token : {"A", " A", "(A", "A)", "**A", "A."})
    EXPECT_EQ(choice_of(token, choices), 0) << token;
  EXPECT_EQ(choice_of(" B", choices), 1);
  for (const char* token : {"", " ", "a", "AB", "An", "C", "()"})
    EXPECT_EQ(choice_of(token, choices), -1) << token;
}

}  // namespace
}  // namespace quern::writing
