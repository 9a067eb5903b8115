#include "writing/reply_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_dir.h"
#include "unit/writing/scripted_respondent.h"

namespace quern::writing {
namespace {

Reply answer_again(const Question& asked, const AskOptions&) {
  return {.text = "re: " + last_of(asked),
          .tokens = static_cast<int64_t>(asked.stream),
          .choices = {0.1, 1.0 / 3.0},
          .drawn = {7, 0}};
}

TEST(ReplyJournal, AnswersWhatWasAnsweredBefore) {
  const test::TempDir folder;
  const auto asked = questions(5);
  ScriptedRespondent model(answer_again);
  model.left = 3;
  {
    ReplyJournal journal = ReplyJournal::open(folder / "j").value();
    EXPECT_EQ(JournaledRespondent(model, journal, "m").ask(asked, {}).error().code, ErrorCode::cancelled);
    EXPECT_EQ(journal.size(), 3);
  }
  model.left = -1;
  model.asked.clear();
  ReplyJournal journal = ReplyJournal::open(folder / "j").value();
  std::vector<size_t> received;
  const auto replies =
      JournaledRespondent(model, journal, "m").ask(asked, {}, [&](size_t i, const Reply& reply) {
        received.push_back(i);
        EXPECT_EQ(reply.text, "re: q" + std::to_string(i));
      });
  EXPECT_THAT(received, testing::UnorderedElementsAre(0, 1, 2, 3, 4));
  ASSERT_EQ(model.asked.size(), 2u) << "the other three are known";
  for (size_t i = 0; i < 5; ++i) {
    const Reply& reply = replies.value()[i];
    const Reply wanted = answer_again(asked[i], {});
    EXPECT_EQ(reply.text, wanted.text);
    EXPECT_EQ(reply.tokens, wanted.tokens);
    EXPECT_EQ(reply.choices, wanted.choices) << "to the last bit";
    EXPECT_EQ(reply.drawn, wanted.drawn);
  }
}

TEST(ReplyJournal, ForgetsALineThatWasCutOff) {
  const test::TempDir folder;
  const auto asked = questions(2);
  ScriptedRespondent model(answer_again);
  {
    ReplyJournal journal = ReplyJournal::open(folder / "j").value();
    ASSERT_TRUE(JournaledRespondent(model, journal, "m").ask(asked, {}).ok());
  }
  std::ofstream(folder / "j", std::ios::app) << "{\"key\": \"half";
  ReplyJournal journal = ReplyJournal::open(folder / "j").value();
  EXPECT_EQ(journal.size(), 2);
  ASSERT_TRUE(JournaledRespondent(model, journal, "m").ask(questions(3), {}).ok());
  EXPECT_EQ(ReplyJournal::open(folder / "j").value().size(), 3) << "what follows begins a line of its own";
}

TEST(ReplyJournal, TellsQuestionsOptionsAndNamesApart) {
  const test::TempDir folder;
  ScriptedRespondent model(answer_again);
  ReplyJournal journal = ReplyJournal::open(folder / "j").value();
  const auto ask = [&](const Question& asked, const AskOptions& options, const std::string& name) {
    const std::vector<Question> one = {asked};
    const size_t before = model.asked.size();
    EXPECT_TRUE(JournaledRespondent(model, journal, name).ask(one, options).ok());
    return model.asked.size() - before;
  };
  EXPECT_EQ(ask(question("a", 0), {}, "m"), 1u);
  EXPECT_EQ(ask(question("a", 0), {}, "m"), 0u);
  EXPECT_EQ(ask(question("a", 1), {}, "m"), 1u);
  EXPECT_EQ(ask(question("b", 0), {}, "m"), 1u);
  EXPECT_EQ(ask(question("a", 0), {.temperature = 0.5}, "m"), 1u);
  EXPECT_EQ(ask(question("a", 0), {}, "judge"), 1u);
  Question with_tools = question("a", 0);
  with_tools.tools = nlohmann::ordered_json::array({{{"type", "function"}}});
  EXPECT_EQ(ask(with_tools, {}, "m"), 1u);
}

TEST(ReplyJournal, SaysWhichLineIsNoEntry) {
  const test::TempDir folder;
  std::ofstream(folder / "j")
      << "{\"key\": \"a\", \"text\": \"b\", \"ended\": true, \"tokens\": 1}\n{\"key\": 3}\n";
  const auto journal = ReplyJournal::open(folder / "j");
  ASSERT_FALSE(journal.ok());
  EXPECT_THAT(journal.error().message, testing::HasSubstr("j:2"));
}

}  // namespace
}  // namespace quern::writing
