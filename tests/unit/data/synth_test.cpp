#include <gtest/gtest.h>
#include <xxhash.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/exception.h"
#include "base/file.h"
#include "data/corpus_info.h"
#include "data/synth/corpus.h"
#include "data/synth/documents.h"
#include "data/synth/overlap.h"
#include "data/synth/phrase.h"
#include "data/synth/words.h"
#include "support/temp_dir.h"

namespace quern::data::synth {
namespace {

TEST(Phrase, SlotsChoicesArticlesAndCapitals) {
  const Slots slots = {{"he", "she"}, {"x", "orange"}, {"y", "kite"}};
  Rng rng(1, 0);
  EXPECT_EQ(expand("{he} saw a {x} {y}. {he} ran! \"a {y}?\" a egg.", slots, rng),
            "She saw an orange kite. She ran! \"a kite?\" an egg.");
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(expand("x (a|b (c|{y})|) z", slots, rng));
  EXPECT_EQ(seen, (std::set<std::string>{"X a z", "X b c z", "X b kite z", "X  z"}));
}

TEST(Phrase, MistakesThrow) {
  Rng rng(1, 0);
  EXPECT_THROW(expand("{nobody}", {}, rng), InternalError);
  EXPECT_THROW(expand("{open", {}, rng), InternalError);
  EXPECT_THROW(expand("(a|b", {}, rng), InternalError);
}

// The corpus of a seed is the same bytes everywhere and for ever; change this number only with the corpus on
// purpose.
TEST(Synth, BytesOfASeedAreFixed) {
  std::string all;
  for (uint64_t i = 0; i < 300; ++i) all += make_document(i % 3 ? Side::train : Side::held_out, 7, i) + "\n";
  for (uint64_t i = 0; i < 100; ++i) all += make_question(7, i).prompt + make_question(7, i).answer + "\n";
  EXPECT_EQ(XXH3_64bits(all.data(), all.size()), 3810502055384886460u);
}

struct Turn {
  std::string user, assistant;
};

std::vector<Turn> turns_of(const std::string& document) {
  const std::string user_marker = "<|user|>", assistant_marker = "<|assistant|>", end_marker = "<|end|>";
  std::vector<Turn> turns;
  size_t at = 0;
  while (at < document.size()) {
    if (document.compare(at, user_marker.size(), user_marker) != 0) break;
    const size_t user = at + user_marker.size(), middle = document.find(assistant_marker, user),
                 end = document.find(end_marker, middle);
    if (middle == std::string::npos || end == std::string::npos) break;
    const size_t assistant = middle + assistant_marker.size();
    turns.push_back({document.substr(user, middle - user), document.substr(assistant, end - assistant)});
    at = end + end_marker.size();
  }
  EXPECT_TRUE(turns.empty() || at == document.size()) << document;
  return turns;
}

TEST(Synth, DocumentsAreCleanText) {
  for (uint64_t i = 0; i < 3000; ++i) {
    const std::string text = make_document(Side::train, 3, i);
    ASSERT_EQ(text.find_first_of("{}()"), std::string::npos) << text;
    for (const char* flaw : {"  ", " .", " ,", "..", " a a", " a e", " a i", " a o", " an b", "?.", "\n"})
      ASSERT_EQ(text.find(flaw), std::string::npos) << flaw << " in " << text;
    const bool chat = text.starts_with("<|user|>");
    ASSERT_EQ(turns_of(text).empty(), !chat);
    ASSERT_TRUE(chat || text.ends_with(".")) << text;
    for (const Turn& turn : turns_of(text))
      ASSERT_TRUE(std::string_view(".!?").find(turn.assistant.back()) != std::string_view::npos) << text;
  }
}

// Asked the same thing in one conversation, or anywhere without a story, the answer is the same: every
// question has one.
TEST(Synth, AnswersAreConsistent) {
  std::map<std::string, std::string> facts;
  for (uint64_t i = 0; i < 20000; ++i) {
    std::map<std::string, std::string> here;
    const auto turns = turns_of(make_document(Side::train, 5, i));
    for (const Turn& turn : turns) {
      const size_t question = turn.user.find_last_of(".!\"", turn.user.size() - 2);
      const bool story = question != std::string::npos && turn.user.size() > 60;
      if (story) here.clear();
      const std::string asked = story ? turn.user.substr(question + 2) : turn.user;
      const auto [at, fresh] = here.emplace(asked, turn.assistant);
      ASSERT_TRUE(fresh || at->second == turn.assistant) << asked;
      const bool about_world = asked.starts_with("What is ") || asked.starts_with("Tell me the ") ||
                               asked.starts_with("How many legs");
      if (about_world) {
        const auto [known, first] = facts.emplace(asked, turn.assistant);
        ASSERT_TRUE(first || known->second == turn.assistant) << asked;
      }
    }
  }
  EXPECT_GT(facts.size(), 100u);
}

int value_of(std::string word) {
  for (char& c : word) c = static_cast<char>(std::tolower(c));
  for (int i = 0; i <= 20; ++i)
    if (number(i) == word) return i;
  return -1;
}

// "A plus B is C.": the arithmetic is right.
TEST(Synth, ArithmeticIsRight) {
  int checked = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    const Question question = make_question(2, i);
    std::istringstream words(question.answer);
    std::string a, how, b, is, c;
    words >> a >> how >> b >> is >> c;
    if (how != "plus" && how != "minus") continue;
    c.pop_back();
    ASSERT_EQ(value_of(c), how == "plus" ? value_of(a) + value_of(b) : value_of(a) - value_of(b))
        << question.answer;
    ++checked;
  }
  EXPECT_GT(checked, 300);
}

// What a question about a story asks for stands in that story: the last word of the answer is in the prompt.
TEST(Synth, AnswersStandInTheStory) {
  const std::set<std::string> about_story = {"who", "what", "where", "colour", "count", "name", "feeling"};
  std::set<std::string> kinds;
  for (uint64_t i = 0; i < 4000; ++i) {
    const Question question = make_question(2, i);
    kinds.insert(question.kind);
    if (!about_story.count(question.kind) || question.kind == "who") continue;
    std::string last = question.answer.substr(question.answer.rfind(' ') + 1);
    last.pop_back();
    ASSERT_NE(question.prompt.find(last), std::string::npos) << question.prompt << " " << question.answer;
  }
  EXPECT_EQ(kinds.size(), 7u + 6u);
}

TEST(Synth, HeldOutIsNeverInTraining) {
  std::set<std::string> documents, prompts;
  for (uint64_t i = 0; i < 20000; ++i) {
    const std::string text = make_document(Side::train, 1, i);
    documents.insert(text);
    for (const Turn& turn : turns_of(text)) prompts.insert(turn.user);
  }
  for (uint64_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(documents.count(make_document(Side::held_out, 1, i)), 0u);
    EXPECT_EQ(prompts.count(make_question(1, i).prompt), 0u);
  }
}

TEST(Synth, WritesTheSameCorpusOnAnyNumberOfThreads) {
  const test::TempDir folder;
  const CorpusOptions options{.documents = 500, .questions = 50, .seed = 4};
  const CorpusReport report = write_corpus((folder / "a").string(), options).value();
  ASSERT_TRUE(write_corpus((folder / "b").string(), options).ok());
  for (const char* name : {"/train.jsonl", "/heldout.jsonl", "/questions.jsonl", "/report.json"})
    EXPECT_EQ(read_file((folder / "a").string() + name).value(),
              read_file((folder / "b").string() + name).value());
  EXPECT_EQ(report.documents, 500);
  EXPECT_EQ(report.held_out, 10);
  EXPECT_EQ(report.overlap.documents, 0);
  EXPECT_EQ(report.overlap.questions, 0);
  EXPECT_EQ(inspect_corpus({(folder / "a/train.jsonl").string()}, {}).value().statistics.documents, 500);
  const auto questions = read_questions((folder / "a/questions.jsonl").string()).value();
  ASSERT_EQ(static_cast<int64_t>(questions.size()), report.questions);
  EXPECT_EQ(questions[0].prompt, make_question(4, 0).prompt);
  EXPECT_EQ(questions[0].kind, "fact");
}

TEST(Synth, Errors) {
  const test::TempDir folder;
  EXPECT_EQ(write_corpus(folder.path(), {.documents = 0}).error().code, ErrorCode::invalid_argument);
  const auto bad = read_questions(
      folder.write("q.jsonl", "{\"prompt\": \"a\", \"answer\": \"b\", \"kind\": \"c\"}\n{\"prompt\": 1}\n"));
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message.find("q.jsonl:2"), std::string::npos);
}

TEST(Overlap, CountsWhatTrainingGivesAway) {
  OverlapMeter meter;
  meter.add_train("Tom had a red kite. The kite was good.");
  meter.add_train("<|user|>Who are you?<|assistant|>I am Quern.<|end|>");
  meter.add_held_out("Tom had a red kite. The kite was bad.");
  meter.add_question("Who are you?");
  meter.add_question("Who am I?");
  EXPECT_EQ(meter.overlap().documents, 0);
  EXPECT_EQ(meter.overlap().questions, 1);
  EXPECT_DOUBLE_EQ(meter.overlap().sentences, 0.5);
  EXPECT_DOUBLE_EQ(meter.overlap().eight_words,
                   0.5);  // "Tom ... was" is seen with the words before "good", not "bad"
}

TEST(CheckAnswer, IgnoresCaseSpaceAndTheFinalPeriod) {
  EXPECT_TRUE(check_answer("The kite was red.", " the  Kite was red\n"));
  EXPECT_TRUE(check_answer("Red", "red."));
  EXPECT_FALSE(check_answer("Red.", "Red..  no"));
  EXPECT_FALSE(check_answer("Red.", "Blue."));
  EXPECT_FALSE(check_answer("Red.", ""));
  EXPECT_TRUE(check_answer("", " "));
}

}  // namespace
}  // namespace quern::data::synth
