#include "data/synth/lessons.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/file.h"
#include "data/synth/documents.h"
#include "data/synth/manners.h"
#include "data/synth/scene.h"
#include "data/synth/story.h"
#include "data/synth/sums.h"
#include "support/temp_dir.h"

namespace quern::data::synth {
namespace {

TEST(Scene, OtherWordsAreOtherWords) {
  Rng rng(1, 0);
  for (int i = 0; i < 200; ++i) {
    const Slots scene = draw_scene(rng);
    const Slots other = with_other_words(scene);
    ASSERT_EQ(friend_view(friend_view(scene)), scene);
    ASSERT_EQ(friend_view(scene).at("hero"), scene.at("friend"));
    for (const auto& [slot, value] : scene) {
      if (slot != "he" && slot != "him" && slot != "his" && slot != "fhe" && slot != "fhim" &&
          slot != "fhis") {
        ASSERT_NE(other.at(slot), value) << slot;
      }
    }
  }
}

// A curt answer is part of the whole one, a wrong one is another sentence, and hardly a question lacks them.
TEST(Story, QuestionsHaveCurtAndWrongAnswers) {
  Rng rng(2, 0);
  int without = 0, all = 0;
  for (int i = 0; i < 2000; ++i) {
    const Story story = i % 2 ? plot_story(Side::train, rng) : fact_story(Side::train, 1, rng);
    for (const Question& question : story.questions) {
      ++all;
      if (question.curt.empty()) {
        ++without;
        continue;
      }
      std::string value = question.curt.substr(1, question.curt.size() - 2);
      ASSERT_NE(question.answer.find(value), std::string::npos) << question.answer << " " << question.curt;
      ASSERT_LT(question.curt.size(), question.answer.size());
      ASSERT_NE(question.wrong, question.answer);
      ASSERT_EQ(worth(question, question.wrong), 0.0) << question.answer << " " << question.wrong;
    }
  }
  EXPECT_LT(without, all / 50);
}

TEST(Facts, HaveCurtAndWrongAnswers) {
  for (uint64_t i = 0; i < 4000; ++i) {
    Rng rng(3, i);
    const Question question = general_question(Side::train, rng);
    ASSERT_FALSE(question.curt.empty()) << question.prompt;
    ASSERT_EQ(worth(question, question.curt), 0.5) << question.answer << " " << question.curt;
    ASSERT_EQ(worth(question, question.wrong), 0.0) << question.answer << " " << question.wrong;
  }
}

TEST(Manners, WorthOfEach) {
  const Question question{"What colour was the kite?", "The kite was red.", "colour", "Red.",
                          "The kite was blue."};
  EXPECT_EQ(worth(question, "The kite was red."), 1.0);
  EXPECT_EQ(worth(question, " the kite  was red"), 1.0);
  EXPECT_EQ(worth(question, "red"), 0.5);
  Rng rng(1, 0);
  EXPECT_EQ(worth(question, put(question, Manner::rambling, rng)), 0.5);
  EXPECT_NE(put(question, Manner::rambling, rng), question.answer);
  for (const char* wrong : {"", "Blue.", "The kite was blue.", "The kite was red. The kite was blue.",
                            "Let me think about it. The kite was blue. I hope that helps.", "The kite was"})
    EXPECT_EQ(worth(question, wrong), 0.0) << wrong;
}

// The judge does not care which of two answers it is told first, and finds none better than itself.
TEST(Manners, PreferenceIsAntisymmetric) {
  for (uint64_t i = 0; i < 500; ++i) {
    const Question question = make_question(1, i);
    Rng rng(4, i);
    const std::string answers[] = {question.answer, question.curt, question.wrong,
                                   put(question, Manner::rambling, rng), "nonsense"};
    for (const std::string& a : answers) {
      EXPECT_EQ(preference(question, a, a), 0.5);
      for (const std::string& b : answers)
        ASSERT_EQ(preference(question, a, b) + preference(question, b, a), 1.0) << a << " " << b;
    }
    EXPECT_EQ(preference(question, question.answer, question.wrong), 1.0);
  }
}

TEST(Sums, StepsAreRightAndEndWithTheResult) {
  const std::regex step(R"((\d+) \+ (\d+) = (\d+))");
  for (uint64_t i = 0; i < 2000; ++i) {
    Rng rng(5, i);
    const Sum sum = draw_sum(i % 2 ? Side::train : Side::held_out, rng);
    const std::string text = answer_in_steps(sum) + " " + small_equations(rng);
    for (auto at = std::sregex_iterator(text.begin(), text.end(), step); at != std::sregex_iterator(); ++at)
      ASSERT_EQ(std::stoi((*at)[1]) + std::stoi((*at)[2]), std::stoi((*at)[3])) << text;
    ASSERT_TRUE(answer_in_steps(sum).ends_with("= " + answer_at_once(sum))) << answer_in_steps(sum);
  }
  EXPECT_EQ(answer_in_steps({23, 48}), "3 + 8 = 11, 20 + 40 = 60, 60 + 11 = 71.");
}

TEST(Lessons, PlainDocumentsHaveNoConversations) {
  for (uint64_t i = 0; i < 2000; ++i) {
    const std::string text = make_plain_document(Side::train, 1, i);
    ASSERT_EQ(text.find("<|"), std::string::npos) << text;
    ASSERT_TRUE(text.ends_with(".")) << text;
    for (const char* flaw : {"  ", " .", "..", " a a", " a e", " a i", " a o", " an b"})
      ASSERT_EQ(text.find(flaw), std::string::npos) << flaw << " in " << text;
    ASSERT_NE(text, make_plain_document(Side::held_out, 1, i));
  }
}

TEST(Lessons, PreferredAnswersArePreferred) {
  std::set<double> rejected;
  for (uint64_t i = 0; i < 2000; ++i) {
    const PreferencePair pair = make_preference(1, i);
    const Question question{pair.prompt, pair.chosen, "any"};
    ASSERT_LT(worth(question, pair.rejected), 1.0) << pair.chosen << " " << pair.rejected;
    rejected.insert(worth(question, pair.rejected));
  }
  EXPECT_EQ(rejected, (std::set<double>{0.0, 0.5}));
}

TEST(Lessons, SameBytesForASeedAndNothingHeldOutIsLearnt) {
  const test::TempDir folder;
  const LessonOptions options{
      .conversations = 3000, .preferences = 500, .sums = 500, .questions = 200, .held_out_sums = 100};
  const LessonReport report = write_lessons((folder / "a").string(), options).value();
  ASSERT_TRUE(write_lessons((folder / "b").string(), options).ok());
  LessonOptions other = options;
  other.seed = 2;
  ASSERT_TRUE(write_lessons((folder / "c").string(), other).ok());
  for (const char* name : {"/conversations.jsonl", "/preferences.jsonl", "/sums/train.jsonl",
                           "/sums/validation.jsonl", "/questions.jsonl"}) {
    const std::string text = read_file((folder / "a").string() + name).value();
    EXPECT_EQ(text, read_file((folder / "b").string() + name).value());
    EXPECT_NE(text, read_file((folder / "c").string() + name).value());
  }
  EXPECT_EQ(report.seen_prompts, 0);
  EXPECT_EQ(report.written.conversations, 3000);
  EXPECT_GT(report.written.questions, 150);
  // Pairs of numbers, whatever the phrasing.
  std::set<std::string> learnt;
  const std::regex numbers(R"((\d\d)\D+(\d\d))");
  const auto each_pair = [&](const char* name, const auto& f) {
    std::istringstream lines(read_file((folder / "a").string() + name).value());
    for (std::string line; std::getline(lines, line);)
      if (std::smatch found; std::regex_search(line, found, numbers))
        f(found[1].str() + "+" + found[2].str());
  };
  each_pair("/sums/train.jsonl", [&](const std::string& pair) { learnt.insert(pair); });
  EXPECT_GT(learnt.size(), 400u);
  each_pair("/sums/validation.jsonl",
            [&](const std::string& pair) { EXPECT_FALSE(learnt.contains(pair)) << pair; });
}

TEST(Lessons, ConversationsAreTurnsThatBeginWithTheUser) {
  std::set<std::string> manners;
  for (uint64_t i = 0; i < 300; ++i) {
    const nlohmann::ordered_json turns = make_conversation(1, i);
    ASSERT_FALSE(turns.empty());
    ASSERT_EQ(turns.size() % 2, 0u);
    for (size_t j = 0; j < turns.size(); ++j) {
      ASSERT_EQ(turns[j]["role"], j % 2 == 0 ? "user" : "assistant");
      ASSERT_FALSE(turns[j]["content"].get<std::string>().empty());
    }
  }
}

TEST(Lessons, Errors) {
  const test::TempDir folder;
  EXPECT_EQ(write_lessons((folder / "a").string(), {.sums = 0}).error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(read_question({{"prompt", "a"}, {"answer", "b"}}).has_value());
  EXPECT_FALSE(read_question("text").has_value());
  EXPECT_FALSE(read_question({{"prompt", 1}, {"answer", "b"}, {"kind", "c"}}).has_value());
  const auto question =
      read_question({{"prompt", "a"}, {"answer", "b"}, {"curt", "c"}, {"kind", "d"}}).value();
  EXPECT_EQ(question.curt, "c");
  EXPECT_EQ(question.kind, "d");
}

}  // namespace
}  // namespace quern::data::synth
