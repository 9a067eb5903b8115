// Self-Instruct (Wang et al. 2023, arXiv 2212.10560): from a handful of tasks a model writes new ones and does them, and what
// is too much like others, cannot be done or was not done is left out.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "writing/instruction_filter.h"
#include "writing/instruction_pool.h"
#include "writing/respondent.h"

namespace quern::writing {

enum class InstructForm {
  steps,  // instructions in a list, then an input for each, then its output: Self-Instruct
  whole,  // tasks with all their parts in one answer: Alpaca
};

struct InstructOptions {
  InstructForm form = InstructForm::steps;
  int64_t count = 100;             // rows wanted
  int64_t requests = 8;            // for tasks, in a round
  int64_t per_request = 8;         // tasks that each asks for
  int64_t examples = 8;            // instructions shown in each; of form whole: seeds
  int64_t generated_examples = 2;  // of them, at most so many that the model wrote
  bool inputs = true;              // of form steps: ask for what is given along with a task
  int64_t input_examples = 4;      // seeds shown in that question
  int64_t patience = 10;           // rounds in a row that bring nothing, after which it is given up
  uint64_t seed = 0;
  double temperature = 0.7, top_p = 1.0;  // of tasks and inputs
  double answer_temperature = 0.0;        // of outputs
  int64_t task_tokens = 512, input_tokens = 256, answer_tokens = 512;
  FilterOptions filter = {};
};

struct LeftOutTask {
  std::string reason, what, text;  // the instruction, or what the model said where none was read
};

struct InstructResult {
  std::vector<Task> tasks;
  std::vector<LeftOutTask> left_out;
  std::map<std::string, int64_t> reasons;  // of left_out
  int64_t rounds = 0, questions = 0;
  int64_t proposed = 0;  // instructions that were read
  int64_t given_up = 0;  // rounds without a task at the end, where it gave up
  bool complete() const { return given_up == 0; }
};

// A function of the seeds, the options and the answers to its questions, each of which has a stream of its own: with a respondent
// whose answers follow from questions, the same tasks at any number of questions at a time. `told` is called with the number of
// tasks after each round. Errors of the respondent.
Result<InstructResult> self_instruct(std::vector<Task> seeds, const InstructOptions& options,
                                     Respondent& model, const std::function<void(int64_t)>& told);

}  // namespace quern::writing
