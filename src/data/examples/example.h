// Example: the one checked form in which rows for supervised tuning and alignment are known here, whatever they were
// published as; and why a row is refused.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace quern::data {

enum class ExampleKind {
  conversation,  // messages; what the assistant says is learnt
  completion,    // a prompt and what answers it
  preference,    // a prompt, the answer that was preferred and the one that was not
  unpaired,      // a prompt, an answer, and whether it is wanted (KTO)
};
// "preference"
std::string_view name_of(ExampleKind kind);

// Prompt and answers are lists of messages as chat templates read them,
//   {"role": "system" | "user" | "assistant" | "tool", "content": text, ...}
// with, where there are any, "name", "tool_calls" (of type function, arguments as objects), "tool_call_id",
// "reasoning_content", and "train": false where an assistant's message is not learnt; or both are texts, which no
// template is put around. Messages come in an order that a conversation can have: a system message at most first, then
// questions and results of tools in turn with answers.
struct Example {
  ExampleKind kind = ExampleKind::conversation;
  nlohmann::ordered_json prompt = nlohmann::ordered_json::array();  // empty for a conversation
  nlohmann::ordered_json answer;    // of a conversation, all messages; the preferred one of a preference
  nlohmann::ordered_json rejected;  // of a preference, the other answer
  nlohmann::ordered_json tools;     // [{"type": "function", "function": ...}], or null
  double margin = 0.0;              // of a preference: by how much it is one; 0 where nobody said
  bool wanted = true;               // of an unpaired one

  bool is_text() const { return answer.is_string(); }
  bool operator==(const Example&) const = default;
};

// The example as a row that read_example() reads as the same again, and that TRL reads: {"messages"}, {"prompt",
// "completion"}, {"prompt", "chosen", "rejected"} or {"prompt", "completion", "label"}, with "tools" and "margin".
nlohmann::ordered_json to_json(const Example& example);

// Why a row is not learnt from.
enum class Fault {
  none,
  not_json,
  invalid_utf8,
  unknown_form,  // none of the known sets of fields
  missing_field,
  bad_value,  // a field of another type, or with a value that means nothing
  bad_role,
  bad_order,      // roles in an order no conversation has
  no_prompt,      // nothing is asked
  no_answer,      // the assistant says nothing
  empty_answer,   // it says an empty text
  equal_answers,  // nothing to prefer
  other_kind,     // than the first row of the data
  duplicate,
  template_refused,
  not_located,  // what the assistant says cannot be found in the rendered text
  too_long,
  nothing_learnt,
};
inline constexpr int kFaults = 18;
// "missing_field"
std::string_view name_of(Fault fault);

struct Refusal {
  Fault fault = Fault::none;
  std::string what;  // for people: which field, what was expected, what there is

  explicit operator bool() const { return fault != Fault::none; }
};

}  // namespace quern::data
