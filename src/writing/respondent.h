// Respondent: whoever answers questions, a model on this machine or one behind an endpoint. What makes data with models asks
// through it, and does not know which of the two it is.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace quern::writing {

struct Question {
  // Messages as chat templates read them, the last of which asks; or a text to go on with, which endpoints refuse.
  nlohmann::ordered_json asked;
  nlohmann::ordered_json tools = {};  // [{"type": "function", ...}], or null
  uint64_t stream = 0;                // of random numbers: another stream, another answer
};
// One message of the user.
Question question(std::string text, uint64_t stream);

struct AskOptions {
  int64_t max_tokens = 256;  // of an answer
  double temperature = 1.0;  // 0: the likeliest token each time
  int64_t top_k = 0;
  double top_p = 1.0;
  uint64_t seed = 0;
  // Letters ("A", "B") that an answer may begin with, whose probabilities are wanted: Reply::choices. Answers have one token then.
  std::vector<std::string> choices = {};

  // All of it, for keys and fingerprints.
  nlohmann::ordered_json to_json() const;
};

struct Reply {
  std::string text = {};  // without what ends it
  bool ended = true;      // by itself; otherwise max_tokens cut it off
  int64_t tokens = 0;     // of the answer
  std::vector<double> choices =
      {};                    // the probability that the answer begins with each of AskOptions::choices
  std::string refusal = {};  // not empty: why this question has no answer; the others are not concerned
  std::vector<int32_t> drawn = {};  // the tokens, with what ends them, of a model on this machine
};

class Respondent {
 public:
  // Called with each answer as soon as it is there, in any order but never by two threads at once; the index is that of its
  // question.
  using Receiver = std::function<void(size_t index, const Reply& reply)>;

  virtual ~Respondent() = default;
  // An answer to each question. An error where no question can be answered any more; what came before it was received.
  // cancelled where an InterruptGuard was asked to stop. Not thread-safe.
  virtual Result<std::vector<Reply>> ask(std::span<const Question> questions, const AskOptions& options,
                                         const Receiver& receive) = 0;
  Result<std::vector<Reply>> ask(std::span<const Question> questions, const AskOptions& options) {
    return ask(questions, options, [](size_t, const Reply&) {});
  }
};

// The index of the choice that the text of a token stands for: the letter itself, with blanks, brackets or signs of emphasis
// around it; -1 where it is none.
int choice_of(const std::string& token, const std::vector<std::string>& choices);

}  // namespace quern::writing
