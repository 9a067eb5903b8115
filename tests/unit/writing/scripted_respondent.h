// A respondent whose answers tests foretell, and that remembers what it was asked.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "writing/respondent.h"

namespace quern::writing {

class ScriptedRespondent final : public Respondent {
 public:
  using Script = std::function<Reply(const Question& question, const AskOptions& options)>;

  explicit ScriptedRespondent(Script script) : script_(std::move(script)) {}

  using Respondent::ask;
  Result<std::vector<Reply>> ask(std::span<const Question> questions, const AskOptions& options,
                                 const Receiver& receive) override {
    std::vector<Reply> replies(questions.size());
    // From the last to the first: nothing may depend on the order in which answers come.
    for (size_t i = questions.size(); i-- > 0;) {
      if (left == 0) return make_error(ErrorCode::cancelled, "interrupted");
      if (left > 0) --left;
      asked.push_back(questions[i]);
      replies[i] = script_(questions[i], options);
      receive(i, replies[i]);
    }
    return replies;
  }

  std::vector<Question> asked;
  int left = -1;  // answers until it is interrupted; -1: never

 private:
  Script script_;
};

// What the last message says.
inline std::string last_of(const Question& question) {
  return question.asked.back()["content"].get<std::string>();
}

// "q0", "q1", ..., each with a stream of its own.
inline std::vector<Question> questions(int count) {
  std::vector<Question> asked;
  for (int i = 0; i < count; ++i)
    asked.push_back(question("q" + std::to_string(i), static_cast<uint64_t>(i)));
  return asked;
}

}  // namespace quern::writing
