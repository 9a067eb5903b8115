// One row of a published data set as an Example, or why it is none.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/examples/example.h"

namespace quern::data {

// The forms rows come in. Alpaca's questions and answers, and ShareGPT's and OpenAI's conversations become
// conversations; they become preferences with "chosen" and "rejected" beside them, and unpaired examples with "label".
enum class ExampleForm {
  automatic,   // as the fields of each row say
  alpaca,      // instruction, input, output; system, history
  sharegpt,    // conversations: from, value; system, tools
  messages,    // messages: role, content, tool_calls; tools (OpenAI's)
  completion,  // prompt, completion
  preference,  // prompt, chosen, rejected; margin; without a prompt, what both answers begin with is it
  unpaired,    // prompt, completion, label; or a conversation and label
};
std::string_view name_of(ExampleForm form);

struct ExampleOptions {
  ExampleForm form = ExampleForm::automatic;
  // Fields under other names: theirs, and the one known here.
  std::vector<std::pair<std::string, std::string>> renamed = {};
  // Prompts and answers that are texts become messages of the user and the assistant; otherwise they stay texts.
  bool texts_are_messages = false;
};

// Reads the text of a row, a JSON object. Fault::none and a checked `example`, or why not. Thread-safe. Time is linear in
// the row, memory a small multiple of it.
Refusal read_example(std::string_view row, const ExampleOptions& options, Example& example);

}  // namespace quern::data
