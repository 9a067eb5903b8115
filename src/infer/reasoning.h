// Models that reason write what they think between tags, before the answer: <think>...</think> and its kind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quern::infer {

struct AnswerPiece {
  std::string text;
  bool is_reasoning = false;
};

// Tells the two apart in streamed text. Tags are left out, and so is white space before the answer.
class ReasoningSplitter {
 public:
  // `prompt`: what the model goes on from, which may end with the tag that opens the reasoning.
  explicit ReasoningSplitter(std::string_view prompt);

  // What is certain after this piece of text; often nothing.
  std::vector<AnswerPiece> push(std::string_view piece);
  // What is held back, when the answer is over.
  std::vector<AnswerPiece> finish();
  // The model is thinking, as far as is certain.
  bool in_reasoning() const { return state_ == State::reasoning; }

 private:
  enum class State { before, reasoning, gap, answer };  // gap: white space before the answer
  bool step(std::vector<AnswerPiece>& pieces);

  State state_ = State::before;
  std::string close_;  // the tag that ends the reasoning
  std::string held_;
};

}  // namespace quern::infer
