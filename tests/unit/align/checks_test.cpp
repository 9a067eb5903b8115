// Rewards that the program checks itself, on answers that are right, wrong and hostile.
#include "align/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace quern::align {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

double worth(Reward& reward, std::string_view answer, const std::string& reference = {}, int64_t tokens = 5,
             bool ended = true) {
  Prompt prompt;
  prompt.reference = reference;
  const Answered answered{&prompt, answer, tokens, ended};
  return reward.score(std::span(&answered, 1)).value().front();
}

TEST(NumberIn, IsWhatGradersOfGsm8kTake) {
  EXPECT_THAT(number_in("He pays 3 * 6 = 18 dollars.\n#### 18"), Optional(std::string("18")));
  EXPECT_THAT(number_in("#### $1,234.50 (and not 7)"), Optional(std::string("1234.5")));
  EXPECT_THAT(number_in("#### 1\nno,\n#### -2.00"), Optional(std::string("-2")));
  EXPECT_THAT(number_in("so 5 apples #### none"), testing::Eq(std::nullopt));
  EXPECT_THAT(number_in("thus \\boxed{x = 042} of 50"), Optional(std::string("42")));
  EXPECT_THAT(number_in("between 3 and 10."), Optional(std::string("10")));
  EXPECT_THAT(number_in("it is 3-4 of them"), Optional(std::string("4")));
  EXPECT_THAT(number_in("minus -$5"), Optional(std::string("-5")));
  EXPECT_THAT(number_in(".5 or 0.50"), Optional(std::string("0.5")));
  EXPECT_THAT(number_in("1,2 and 1,2345"), Optional(std::string("2345")));
  EXPECT_THAT(number_in("1,000,000"), Optional(std::string("1000000")));
  EXPECT_THAT(number_in("-0.0"), Optional(std::string("0")));
  EXPECT_THAT(number_in("007"), Optional(std::string("7")));
  // More digits than a double has.
  EXPECT_THAT(number_in("123456789012345678901"), Optional(std::string("123456789012345678901")));
  EXPECT_THAT(number_in(""), testing::Eq(std::nullopt));
  EXPECT_THAT(number_in("\\boxed{"), testing::Eq(std::nullopt));
  EXPECT_THAT(number_in(std::string(100000, ',')), testing::Eq(std::nullopt));
}

TEST(Checks, CompareWithTheReference) {
  const auto exact = exact_reward(false), relaxed = exact_reward(true), numeric = numeric_reward();
  EXPECT_EQ(worth(*exact, " Paris \n is it ", "Paris is it"), 1.0);
  EXPECT_EQ(worth(*exact, "paris", "Paris"), 0.0);
  EXPECT_EQ(worth(*relaxed, "paris", "Paris"), 1.0);
  EXPECT_EQ(worth(*exact, "Parisis", "Paris is"), 0.0);
  EXPECT_EQ(worth(*numeric, "I think 1,018.0", "long way\n#### 1018"), 1.0);
  EXPECT_EQ(worth(*numeric, "I think 1018.5", "#### 1018"), 0.0);
  EXPECT_EQ(worth(*numeric, "no idea", "no idea"), 0.0);
}

TEST(Checks, MatchPatterns) {
  const auto found = regex_reward("[0-9]+ (cats|dogs)", false).value();
  EXPECT_EQ(worth(*found, "there are 12 dogs here"), 1.0);
  EXPECT_EQ(worth(*found, "there are dogs"), 0.0);
  const auto whole = regex_reward("yes|no", true).value();
  EXPECT_EQ(worth(*whole, "yes"), 1.0);
  EXPECT_EQ(worth(*whole, "yes!"), 0.0);
  EXPECT_FALSE(regex_reward("(a", false).ok());
  // Exponential for those who try one way after another.
  const auto nested = regex_reward("(a+)+b", true).value();
  EXPECT_EQ(worth(*nested, std::string(5000, 'a')), 0.0);
  EXPECT_EQ(worth(*found, "\xff\xfe\0\x80"), 0.0);
}

TEST(Checks, FollowSchemas) {
  const auto schema =
      schema_reward(
          R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                        "required": ["name", "age"]})")
          .value();
  EXPECT_EQ(worth(*schema, "\n {\"name\" :  \"Ada\",\n\n\n\"age\":36}  "), 1.0);
  EXPECT_EQ(worth(*schema, R"({"name": "Ada"})"), 0.0);
  EXPECT_EQ(worth(*schema, R"({"name": "Ada", "age": "36"})"), 0.0);
  EXPECT_EQ(worth(*schema, R"(Here it is: {"name": "Ada", "age": 36})"), 0.0);
  EXPECT_EQ(worth(*schema, std::string(200000, '[')), 0.0);
  EXPECT_EQ(worth(*schema, "\"\\ud800\""), 0.0);
  EXPECT_EQ(worth(*schema, "\xff"), 0.0);
  EXPECT_FALSE(schema_reward(R"({"type": "shrubbery"})").ok());
}

TEST(Checks, MeasureLengths) {
  const auto length = length_reward(2, 4);
  EXPECT_EQ(worth(*length, "x", {}, 1), 0.0);
  EXPECT_EQ(worth(*length, "x", {}, 2), 1.0);
  EXPECT_EQ(worth(*length, "x", {}, 4), 1.0);
  EXPECT_EQ(worth(*length, "x", {}, 5), 0.0);
  EXPECT_EQ(worth(*length, "x", {}, 3, false), 0.0);
}

Result<std::vector<double>> ask(std::vector<std::string> argv, double seconds = 30.0) {
  Prompt prompt;
  prompt.text = "2 + 2?";
  prompt.reference = "4";
  prompt.row = {{"question", "2 + 2?"}, {"tests", "f(2) == 4"}};
  const std::vector<Answered> answers = {{&prompt, "4\n", 1}, {&prompt, "\xff \"5\"", 1}};
  return command_reward(std::move(argv), seconds)->score(answers);
}

TEST(CommandReward, ReadsNumbersOfAProgram) {
  EXPECT_THAT(ask({"sed", "-e", "s/.*tests.*\"answer\":\"4.n\",\"reference\":\"4\".*/1.5/", "-e",
                   "s/.*prompt.*/-1e0 /"})
                  .value(),
              ElementsAre(1.5, -1.0));
}

TEST(CommandReward, SaysWhatIsWrong) {
  const auto message = [](const Result<std::vector<double>>& result) {
    return result.ok() ? std::string() : result.error().message;
  };
  EXPECT_THAT(message(ask({"echo", "1"})), HasSubstr("expected 2 lines with a number, got 1"));
  EXPECT_THAT(message(ask({"cat"})), HasSubstr("line 1: expected a number"));
  EXPECT_THAT(message(ask({"printf", "1\\n1 2\\n"})), HasSubstr("line 2: expected a number"));
  EXPECT_THAT(message(ask({"no-such-program"})), HasSubstr("cannot run no-such-program"));
  EXPECT_THAT(message(ask({"sh", "-c", "echo broken >&2; exit 3"})),
              HasSubstr("ended with status 3:\nbroken"));
  EXPECT_THAT(message(ask({"sh", "-c", "kill -9 $$"})), HasSubstr("was ended by signal 9"));
  const auto late = ask({"sh", "-c", "sleep 100 & sleep 100"}, 0.1);
  EXPECT_THAT(message(late), HasSubstr("was not done after 0.1 seconds"));
  EXPECT_EQ(late.error().code, ErrorCode::deadline);
}

TEST(CodeIn, IsTheLastBlock) {
  EXPECT_EQ(code_in("x = 1"), "x = 1");
  EXPECT_EQ(code_in("First ```a```, then\n```python\nx = 2\n```\nand\n```\nx = 3\n```."), "x = 3\n");
  EXPECT_EQ(code_in("```python\nx = 2\n``` and ```sh\nopen"), "x = 2\n");
  EXPECT_EQ(code_in("```"), "```");
  EXPECT_EQ(code_in("``````"), "``````");
}

TEST(CodeReward, RunsTheTestsOfTheRow) {
  const auto reward = code_reward({.seconds = 5.0, .memory_bytes = int64_t{256} << 20}).value();
  Prompt prompt;
  prompt.row = {{"tests", {"assert f(2) == 4", "assert f(-1) == -2"}}};
  std::vector<Answered> answers;
  for (const char* text :
       {"def f(x): return 2 * x", "Here:\n```python\ndef f(x):\n  return x + x\n```\nDone.",
        "def f(x): return 4", "def f(x) return", "print('done'); quit()", "import os; os._exit(0)", "",
        "def f(x): return len('x' * (1 << 30))", "print('x' * (1 << 22))\nf = lambda x: 2 * x"})
    answers.push_back({&prompt, text, 1});
  EXPECT_THAT(reward->score(answers).value(), ElementsAre(1, 1, 0, 0, 0, 0, 0, 0, 0));
  const auto hasty = code_reward({.seconds = 0.5}).value();
  answers = {{&prompt, "while True: pass", 1}};
  EXPECT_THAT(hasty->score(answers).value(), ElementsAre(0));
}

TEST(CodeReward, SaysWhatIsMissing) {
  const auto reward = code_reward({}).value();
  Prompt prompt;
  prompt.text = "Double it.";
  for (const nlohmann::ordered_json& tests :
       {nlohmann::ordered_json(nullptr), nlohmann::ordered_json({1, 2})}) {
    prompt.row = {{"tests", tests}};
    const Answered answer{&prompt, "x = 1", 1};
    EXPECT_THAT(reward->score(std::span(&answer, 1)).error().message,
                HasSubstr("\"Double it.\" has no tests"));
  }
  EXPECT_THAT(code_reward({.run = {"no-such-program"}}).error().message,
              HasSubstr("no-such-program does not run an empty program"));
}

}  // namespace
}  // namespace quern::align
