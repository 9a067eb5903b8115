// When an answer begins to be held to its constraint, where that is not at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "infer/reasoning.h"

namespace quern::infer {

// Reads an answer until its constraint begins: behind what the model thinks aloud, or where it begins something that
// it must then go on with. What it thinks begins nothing. Copies are independent; not thread-safe.
class ConstraintStart {
 public:
  // What begins the constraint.
  struct Trigger {
    std::string text;     // as the answer has it
    bool anywhere;        // in the answer, not only where that begins
    std::string spelled;  // as the constraint has it
  };

  // Without a trigger: where the answer begins behind the thoughts that `prompt` has opened.
  explicit ConstraintStart(std::string_view prompt, std::optional<Trigger> trigger = {})
      : reasoning_(prompt), trigger_(std::move(trigger)) {}

  // The constraint is to come: until then nothing may end the answer.
  bool must_come() const { return !trigger_; }
  // Nothing is to be waited for: the constraint holds from the first token on.
  bool at_once() const { return !trigger_ && !reasoning_.in_reasoning(); }

  // Goes on with what a token spells (make_vocabulary). Gives what the constraint begins with once it does, perhaps nothing.
  std::optional<std::string> push(std::string_view spelling);

 private:
  std::optional<std::string> find_trigger();

  ReasoningSplitter reasoning_;
  std::optional<Trigger> trigger_;
  std::string answer_;     // since it began, or what of its end the trigger may reach back to
  bool hopeless_ = false;  // the answer has begun otherwise
};

}  // namespace quern::infer
