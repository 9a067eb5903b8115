// The pool, the filters, what is asked and what is read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "support/temp_dir.h"
#include "writing/instruction_filter.h"
#include "writing/instruction_pool.h"
#include "writing/instruction_prompts.h"

namespace quern::writing {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Task> some_seeds() {
  return {{"Name three rivers in Europe.", "", "Rhine, Danube, Loire"},
          {"Write a poem about the sea.", "", "Waves"},
          {"Correct the spelling of this text.", "helo wrld", "hello world"},
          {"What is the capital of France?", "", "Paris"}};
}

std::string reason(const std::string& instruction, const FilterOptions& options = {}) {
  const auto why = check_instruction(instruction, InstructionPool(some_seeds()), options);
  return why ? std::string(why->reason) : "";
}

Result<std::vector<Task>> read(const std::string& rows) {
  static const test::TempDir folder;
  std::ofstream(folder / "seeds.jsonl") << rows;
  return read_seed_tasks((folder / "seeds.jsonl").string());
}

TEST(SeedTasks, AreReadInBothForms) {
  const auto tasks = read(
      "{\"instruction\": \"Add.\", \"input\": \"1 1\", \"output\": \"2\"}\n"
      "{\"instruction\": \"Say hi.\", \"output\": \"hi\"}\n"
      "{\"id\": \"seed_task_0\", \"instruction\": \"Sort.\", \"instances\": [{\"input\": \"\", \"output\": "
      "\"a b\"}]}\n");
  EXPECT_THAT(tasks.value(),
              ElementsAre(Task{"Add.", "1 1", "2"}, Task{"Say hi.", "", "hi"}, Task{"Sort.", "", "a b"}));
}

TEST(SeedTasks, SayWhichRowIsWrong) {
  const std::string good = "{\"instruction\": \"a\", \"output\": \"b\"}\n";
  const auto error = [&](const std::string& row) { return read(good + row).error().message; };
  EXPECT_THAT(error("{\"output\": \"b\"}"), HasSubstr("seeds.jsonl:2: instruction: the field is missing"));
  EXPECT_THAT(error("{\"instruction\": \"a\"}"), HasSubstr(":2: output: the field is missing"));
  EXPECT_THAT(error("{\"instruction\": \" \", \"output\": \"b\"}"),
              HasSubstr(":2: instruction: the text is empty"));
  EXPECT_THAT(error("{\"instruction\": 3, \"output\": \"b\"}"), HasSubstr("expected text, got 3"));
  EXPECT_THAT(error("[1]"), HasSubstr("expected an object"));
  EXPECT_THAT(read("\n").error().message, HasSubstr("there are no seeds"));
}

TEST(InstructionFilter, RefusesEachForItsReason) {
  EXPECT_EQ(reason("Explain why leaves are green in spring."), "");
  EXPECT_EQ(reason("  "), "empty");
  EXPECT_EQ(reason("Explain why leaves"), "words");
  EXPECT_EQ(reason("word " + std::string(150 * 5, 'x'), {.most_words = 1}), "words");
  EXPECT_EQ(reason("Draw a house with four windows."), "cannot");
  EXPECT_EQ(reason("Describe what this Image shows us."), "cannot");
  EXPECT_EQ(reason("Imagine that you live underground."), "") << "a word, not a part of one";
  EXPECT_EQ(reason("Please go to the next shop."), "cannot");
  EXPECT_EQ(reason("Write a program that sorts numbers."), "beginning");
  EXPECT_EQ(reason("- explain why leaves are green"), "beginning");
  EXPECT_EQ(reason("Élargissez la phrase qui suit ici."), "beginning");
  EXPECT_EQ(reason("Élargissez la phrase qui suit ici.", {.ascii_start = false}), "");
  EXPECT_EQ(reason("what is the capital of france"), "duplicate");
  EXPECT_EQ(reason("What is the capital of Spain?"), "similar");
  EXPECT_EQ(reason("What is the capital of Spain?", {.similarity = 0.9}), "");
}

TEST(InstructionFilter, CountsFromTheBoundaryOn) {
  // Five of six words in common: ROUGE-L is exactly 5 / 6.
  EXPECT_EQ(reason("What is the capital of Spain?", {.similarity = 5.0 / 6.0}), "similar");
  EXPECT_EQ(reason("What is the capital of Spain?", {.similarity = 5.0 / 6.0 + 1e-9}), "");
}

TEST(InstructionFilter, RefusesOutputsThatSayNothing) {
  const auto why = [](const std::string& input, const std::string& output) {
    const auto left_out = check_output({"Correct it.", input, output});
    return left_out ? std::string(left_out->reason) : "";
  };
  EXPECT_EQ(why("helo", "hello"), "");
  EXPECT_EQ(why("helo", " \n"), "no_output");
  EXPECT_EQ(why("helo", "helo\n"), "repeats");
  EXPECT_EQ(why("", "Correct it."), "repeats");
}

TEST(InstructionPool, FindsTheNearest) {
  InstructionPool pool(some_seeds());
  pool.add("Write a long poem about the wide sea.");
  EXPECT_EQ(pool.nearest("Write a poem about the sea", 0.7).index, 1);
  EXPECT_EQ(pool.nearest("Write a long poem about the sea", 0.7).index, 4);
  EXPECT_EQ(pool.nearest("Count to seven.", 0.7).index, -1);
}

TEST(InstructionPool, DrawsBySeed) {
  InstructionPool pool(some_seeds());
  for (int i = 0; i < 20; ++i) pool.add("generated " + std::to_string(i));
  std::set<std::vector<int64_t>> draws;
  for (uint64_t draw = 0; draw < 20; ++draw) {
    const auto shown = pool.draw_examples(6, 2, 7, draw);
    EXPECT_EQ(shown, pool.draw_examples(6, 2, 7, draw));
    ASSERT_EQ(shown.size(), 6u);
    EXPECT_EQ(std::set<int64_t>(shown.begin(), shown.end()).size(), 6u);
    EXPECT_EQ(std::ranges::count_if(shown, [](int64_t i) { return i >= 4; }), 2);
    draws.insert(shown);
  }
  EXPECT_GT(draws.size(), 15u);
  EXPECT_NE(pool.draw_examples(6, 2, 8, 0), pool.draw_examples(6, 2, 7, 0));
  EXPECT_EQ(InstructionPool(some_seeds()).draw_examples(8, 2, 7, 0).size(), 4u) << "no more than there are";
}

TEST(InstructionPool, DrawsSeedsWithInputsAndWithout) {
  const InstructionPool pool(some_seeds());
  for (uint64_t draw = 0; draw < 10; ++draw) {
    const auto drawn = pool.draw_seeds(3, 1, draw);
    ASSERT_EQ(drawn.size(), 3u);
    EXPECT_EQ(std::ranges::count_if(drawn, [](const Task* t) { return !t->input.empty(); }), 1);
  }
}

TEST(InstructionPrompts, ShowTasksAndReadLists) {
  const std::vector<std::string> shown = {"First task.", "Second task."};
  const std::string asked = ask_for_instructions(shown, 5);
  EXPECT_THAT(asked, HasSubstr("1. First task.\n2. Second task.\n"));
  EXPECT_THAT(asked, HasSubstr("Write 5 more tasks"));
  EXPECT_THAT(read_list("Here are some:\n\n1. One\n2) Two\ngoes on\n\nrest\n3: Three\n"),
              ElementsAre("One", "Two goes on", "Three"));
  EXPECT_THAT(read_list("- One\n* Two\n**3.** Three\nTask 4: Four\n"),
              ElementsAre("One", "Two", "Three", "Four"));
  EXPECT_THAT(read_list("3.5 litres of water\nno list"), ElementsAre());
}

TEST(InstructionPrompts, AskForInputsAndReadThem) {
  const auto seeds = some_seeds();
  const std::vector<const Task*> shown = {&seeds[0], &seeds[2]};
  const std::string asked = ask_for_input(shown, "Shorten this text.");
  EXPECT_THAT(asked, HasSubstr("Task: Name three rivers in Europe.\nInput: <noinput>\n"));
  EXPECT_THAT(asked, HasSubstr("Input: helo wrld\n"));
  EXPECT_THAT(asked, HasSubstr("Task: Shorten this text.\n"));
  EXPECT_EQ(read_input("Input: a text"), "a text");
  EXPECT_EQ(read_input("a text\nof two lines\nOutput: b"), "a text\nof two lines");
  for (const char* none : {"<noinput>", "Input: <NoInput>", "None", "N/A"})
    EXPECT_EQ(read_input(none), "") << none;
  EXPECT_EQ(read_input(" \n"), std::nullopt);
}

TEST(InstructionPrompts, ReadWholeTasks) {
  const auto seeds = some_seeds();
  const std::vector<const Task*> shown = {&seeds[2]};
  EXPECT_THAT(ask_for_tasks(shown, 3), HasSubstr("###\n1. Instruction: Correct the spelling of this "
                                                 "text.\nInput: helo wrld\nOutput: hello world\n"));
  const auto tasks = read_tasks(
      "###\n1. Instruction: Add these numbers.\nInput: 1\n2\nOutput:\n3\n\n###\n"
      "2. **Instruction:** Say hi.\n2. Input: <noinput>\n2. Output: hi\nand more\n"
      "###\nInstruction: Without an output.\nInput: x\n");
  EXPECT_THAT(tasks,
              ElementsAre(Task{"Add these numbers.", "1\n2", "3"}, Task{"Say hi.", "", "hi\nand more"}));
}

}  // namespace
}  // namespace quern::writing
