#include "writing/self_instruct.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "support/temp_dir.h"
#include "unit/writing/scripted_respondent.h"
#include "writing/instruction_prompts.h"
#include "writing/reply_journal.h"

namespace quern::writing {
namespace {

using testing::HasSubstr;

const std::vector<Task> kSeeds = {{"Name three rivers in Europe.", "", "Rhine, Danube, Loire"},
                                  {"Correct the spelling of this text.", "helo wrld", "hello world"}};

// Says a list of two new tasks, of which one is always the same; inputs for every other task; and what it was asked, answered.
Reply assistant(const Question& asked, const AskOptions&) {
  const std::string text = last_of(asked);
  const std::string number = std::to_string(asked.stream);
  if (text.find("more tasks of this kind") != std::string::npos)
    return {.text = "1. Tell story " + number + " with wonder " + number +
                    ".\n2. Name three rivers in Europe.\n"};
  if (text.find("Write the input of this last task") != std::string::npos)
    return {.text = asked.stream % 2 == 0 ? "<noinput>" : "facts " + number};
  if (text.find("more of them in the same form") != std::string::npos)
    return {.text = "Instruction: Tell story " + number + " with wonder " + number +
                    ".\nInput: <noinput>\nOutput: Once " + number +
                    ".\n###\nInstruction: Draw the map of it now.\nInput: "
                    "x\nOutput: y\n"};
  return {.text = "Answer to: " + text};
}

InstructOptions options(int64_t count) { return {.count = count, .requests = 2, .per_request = 2}; }

InstructResult run(Respondent& model, const InstructOptions& how) {
  return self_instruct(kSeeds, how, model, [](int64_t) {}).value();
}

TEST(SelfInstruct, WritesTasksInStepsAndCountsWhatIsLeftOut) {
  ScriptedRespondent model(assistant);
  std::vector<int64_t> told;
  const InstructResult result =
      self_instruct(kSeeds, options(5), model, [&](int64_t rows) { told.push_back(rows); }).value();
  ASSERT_EQ(result.tasks.size(), 5u);
  EXPECT_TRUE(result.complete());
  EXPECT_THAT(told, testing::ElementsAre(2, 4, 5));
  EXPECT_EQ(result.rounds, 3);
  // Each of the six lists had the seed again, but the last one was not read to its end.
  EXPECT_EQ(result.reasons.at("duplicate"), 4);
  EXPECT_EQ(result.proposed, 9);
  EXPECT_EQ(result.questions, 3 * 2 + 5 + 5);
  EXPECT_EQ(result.left_out.size(), 4u);
  EXPECT_THAT(result.left_out[0].what, HasSubstr("ROUGE-L 1.00"));
  std::set<std::string> instructions;
  int with_input = 0;
  for (const Task& task : result.tasks) {
    instructions.insert(task.instruction);
    with_input += task.input.empty() ? 0 : 1;
    EXPECT_EQ(task.output, "Answer to: " + ask_task(task));
  }
  EXPECT_EQ(instructions.size(), 5u);
  EXPECT_GT(with_input, 0);
  EXPECT_LT(with_input, 5);
  // Later questions show tasks of before; every question has a stream of its own.
  std::set<uint64_t> streams;
  bool shown = false;
  for (const Question& asked : model.asked) {
    streams.insert(asked.stream);
    shown = shown || (last_of(asked).find("more tasks of this kind") != std::string::npos &&
                      last_of(asked).find("Tell story") != std::string::npos);
  }
  EXPECT_TRUE(shown);
  EXPECT_EQ(streams.size(), model.asked.size());
}

TEST(SelfInstruct, AsksNoInputsWhereNoneAreWanted) {
  ScriptedRespondent model(assistant);
  InstructOptions how = options(2);
  how.inputs = false;
  for (const Task& task : run(model, how).tasks) EXPECT_EQ(task.input, "");
  EXPECT_EQ(model.asked.size(), 2u + 2u);
}

TEST(SelfInstruct, WritesWholeTasksInOneAnswer) {
  ScriptedRespondent model(assistant);
  InstructOptions how = options(3);
  how.form = InstructForm::whole;
  const InstructResult result = run(model, how);
  ASSERT_EQ(result.tasks.size(), 3u);
  EXPECT_EQ(result.tasks[0].output, "Once 0.");
  EXPECT_EQ(result.reasons.at("cannot"), 2);
  EXPECT_EQ(result.questions, 4);
  EXPECT_THAT(last_of(model.asked[0]), HasSubstr("Output: hello world"));
}

TEST(SelfInstruct, LeavesOutWhatWasCutOffRefusedOrNotDone) {
  ScriptedRespondent model([](const Question& asked, const AskOptions& how) -> Reply {
    Reply reply = assistant(asked, how);
    const std::string text = last_of(asked);
    if (text.find("more tasks of this kind") != std::string::npos) {
      if (asked.stream == 0) return {.text = "I have no idea."};
      if (asked.stream == 1) return {.text = {}, .refusal = "too long"};
      if (asked.stream == 2)
        return {.text = "1. Tell me of wonder number seven.\n2. Half a ta", .ended = false};
      return {.text = "1. Alpha beta gamma delta.\n2. One two three four.\n3. Red green blue black.\n"};
    }
    if (text.find("input of this last task") != std::string::npos) {
      if (text.find("Alpha") != std::string::npos) return {.text = " "};
      return {.text = "<noinput>"};
    }
    if (text.find("One two") != std::string::npos) return {.text = "One two three four."};
    if (text.find("Red green") != std::string::npos) return {.text = "never en", .ended = false};
    return reply;
  });
  InstructOptions how = options(9);
  how.requests = 4;
  how.patience = 2;
  const InstructResult result = run(model, how);
  ASSERT_EQ(result.tasks.size(), 1u);
  EXPECT_EQ(result.tasks[0].instruction, "Tell me of wonder number seven.");
  EXPECT_FALSE(result.complete());
  EXPECT_EQ(result.given_up, 2);
  const std::map<std::string, int64_t> wanted = {
      {"unread", 1}, {"refused", 1}, {"cut_off", 2}, {"no_input", 1}, {"repeats", 1}};
  for (const auto& [reason, count] : wanted) EXPECT_GE(result.reasons.at(reason), count) << reason;
  int64_t counted = 0;
  for (const auto& [reason, count] : result.reasons) {
    counted += count;
    EXPECT_TRUE(std::ranges::count(reasons_to_leave_out(), reason) == 1) << reason;
  }
  EXPECT_EQ(counted, static_cast<int64_t>(result.left_out.size()));
}

// Killed anywhere, and run again on what was answered: the same tasks.
TEST(SelfInstruct, GoesOnFromItsJournal) {
  ScriptedRespondent whole(assistant);
  const InstructResult wanted = run(whole, options(5));
  for (const int after : {0, 1, 3, 7, 12}) {
    const test::TempDir folder;
    ScriptedRespondent model(assistant);
    model.left = after;
    {
      ReplyJournal journal = ReplyJournal::open(folder / "j").value();
      JournaledRespondent first(model, journal, "m");
      EXPECT_FALSE(self_instruct(kSeeds, options(5), first, [](int64_t) {}).ok());
    }
    model.left = -1;
    ReplyJournal journal = ReplyJournal::open(folder / "j").value();
    JournaledRespondent again(model, journal, "m");
    EXPECT_EQ(run(again, options(5)).tasks, wanted.tasks);
    EXPECT_EQ(model.asked.size(), whole.asked.size()) << "nothing was asked twice";
  }
}

}  // namespace
}  // namespace quern::writing
