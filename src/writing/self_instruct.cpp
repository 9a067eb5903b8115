#include "writing/self_instruct.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "writing/instruction_prompts.h"

namespace quern::writing {

namespace {

class SelfInstruct {
 public:
  SelfInstruct(std::vector<Task> seeds, const InstructOptions& options, Respondent& model)
      : pool_(std::move(seeds)), options_(options), model_(model) {}

  Result<InstructResult> run(const std::function<void(int64_t)>& told) {
    int64_t quiet = 0;
    while (size() < options_.count && quiet < options_.patience) {
      const int64_t before = size();
      QUERN_TRY(std::vector<Task> tasks, propose());
      if (options_.form == InstructForm::steps) {
        if (options_.inputs) QUERN_CHECK(write_inputs(tasks));
        QUERN_CHECK(do_tasks(tasks));
      }
      keep(std::move(tasks));
      ++result_.rounds;
      quiet = size() == before ? quiet + 1 : 0;
      told(size());
    }
    result_.given_up = size() < options_.count ? quiet : 0;
    return std::move(result_);
  }

 private:
  int64_t size() const { return static_cast<int64_t>(result_.tasks.size()); }

  void leave_out(std::string_view reason, std::string what, const std::string& text) {
    ++result_.reasons[std::string(reason)];
    result_.left_out.push_back({std::string(reason), std::move(what), text});
  }

  Question ask(std::string text) {
    return question(std::move(text), static_cast<uint64_t>(result_.questions++));
  }
  AskOptions how(double temperature, int64_t max_tokens) const {
    return {.max_tokens = max_tokens,
            .temperature = temperature,
            .top_p = temperature == 0.0 ? 1.0 : options_.top_p,
            .seed = options_.seed};
  }

  Question question_for_tasks() {
    const auto draw = static_cast<uint64_t>(result_.questions);
    if (options_.form == InstructForm::whole)
      return ask(
          ask_for_tasks(pool_.draw_seeds(options_.examples, options_.seed, draw), options_.per_request));
    std::vector<std::string> shown;
    for (const int64_t i :
         pool_.draw_examples(options_.examples, options_.generated_examples, options_.seed, draw))
      shown.push_back(pool_[i]);
    return ask(ask_for_instructions(shown, options_.per_request));
  }

  // New tasks of this round that passed the filters of instructions, which are in the pool from now on; no more than are wanted.
  Result<std::vector<Task>> propose() {
    std::vector<Question> questions;
    for (int64_t i = 0; i < options_.requests; ++i) questions.push_back(question_for_tasks());
    QUERN_TRY(const std::vector<Reply> replies,
              model_.ask(questions, how(options_.temperature, options_.task_tokens)));
    std::vector<Task> tasks;
    for (const Reply& reply : replies) {
      if (!reply.refusal.empty()) {
        leave_out("refused", reply.refusal, "");
        continue;
      }
      std::vector<Task> read = read_reply(reply);
      if (read.empty()) leave_out("unread", "there are no tasks in the answer", reply.text);
      for (Task& task : read) {
        if (size() + static_cast<int64_t>(tasks.size()) >= options_.count) return tasks;
        take(std::move(task), tasks);
      }
    }
    return tasks;
  }

  std::vector<Task> read_reply(const Reply& reply) {
    std::vector<Task> tasks;
    if (options_.form == InstructForm::whole) {
      tasks = read_tasks(reply.text);
    } else {
      for (std::string& item : read_list(reply.text)) tasks.push_back({std::move(item), {}, {}});
    }
    if (!reply.ended && !tasks.empty()) {  // the last one is not whole
      leave_out("cut_off", fmt::format("the list was cut off after {} tokens", reply.tokens),
                tasks.back().instruction);
      tasks.pop_back();
      if (tasks.empty()) return {};
    }
    return tasks;
  }

  void take(Task task, std::vector<Task>& tasks) {
    ++result_.proposed;
    if (const auto why = check_instruction(task.instruction, pool_, options_.filter))
      return leave_out(why->reason, why->what, task.instruction);
    pool_.add(task.instruction);
    tasks.push_back(std::move(task));
  }

  // Whether the reply can be used; otherwise its task is left out.
  bool usable(const Reply& reply, const Task& task) {
    if (!reply.refusal.empty()) {
      leave_out("refused", reply.refusal, task.instruction);
    } else if (!reply.ended) {
      leave_out("cut_off", fmt::format("cut off after {} tokens", reply.tokens), task.instruction);
    } else {
      return true;
    }
    return false;
  }

  Result<void> write_inputs(std::vector<Task>& tasks) {
    std::vector<Question> questions;
    for (const Task& task : tasks) {
      const auto draw = static_cast<uint64_t>(result_.questions);
      questions.push_back(ask(
          ask_for_input(pool_.draw_seeds(options_.input_examples, options_.seed, draw), task.instruction)));
    }
    QUERN_TRY(const std::vector<Reply> replies,
              model_.ask(questions, how(options_.temperature, options_.input_tokens)));
    std::vector<Task> kept;
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (!usable(replies[i], tasks[i])) continue;
      const std::optional<std::string> input = read_input(replies[i].text);
      if (!input) {
        leave_out("no_input", "the model wrote neither an input nor that there is none",
                  tasks[i].instruction);
        continue;
      }
      kept.push_back(std::move(tasks[i]));
      kept.back().input = *input;
    }
    tasks = std::move(kept);
    return {};
  }

  Result<void> do_tasks(std::vector<Task>& tasks) {
    std::vector<Question> questions;
    for (const Task& task : tasks) questions.push_back(ask(ask_task(task)));
    QUERN_TRY(const std::vector<Reply> replies,
              model_.ask(questions, how(options_.answer_temperature, options_.answer_tokens)));
    std::vector<Task> kept;
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (!usable(replies[i], tasks[i])) continue;
      kept.push_back(std::move(tasks[i]));
      kept.back().output = std::string(trimmed(replies[i].text));
    }
    tasks = std::move(kept);
    return {};
  }

  void keep(std::vector<Task> tasks) {
    for (Task& task : tasks) {
      if (const auto why = check_output(task)) {
        leave_out(why->reason, why->what, task.instruction);
      } else {
        result_.tasks.push_back(std::move(task));
      }
    }
  }

  InstructionPool pool_;
  const InstructOptions& options_;
  Respondent& model_;
  InstructResult result_;
};

}  // namespace

Result<InstructResult> self_instruct(std::vector<Task> seeds, const InstructOptions& options,
                                     Respondent& model, const std::function<void(int64_t)>& told) {
  return SelfInstruct(std::move(seeds), options, model).run(told);
}

}  // namespace quern::writing
