// Answers that are calls of functions, as a grammar: in the words of the model's form, with arguments that the functions
// take.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "grammar/grammar_cache.h"
#include "infer/constraint_start.h"
#include "infer/tool_calls.h"
#include "text/tokenizer.h"

namespace quern::infer {

struct ToolFunction {
  std::string name;
  std::string parameters;  // a JSON schema of an object
  bool strict = false;     // calls must follow the schema, however the answer comes to one
};
// Of {"type": "function", "function": {"name", "parameters", "strict"}}, or the inner object alone. invalid_argument for
// what is none, and for parameters that are no object.
Result<std::vector<ToolFunction>> read_functions(const nlohmann::ordered_json& tools);

struct CallGrammar {
  grammar::Constraint constraint;    // of calls and nothing else
  ConstraintStart::Trigger trigger;  // what begins calls in an answer that is free
};
// `parallel`: more than one call may be made. `tokenizer`: its special tokens stand for the form's markers.
// Precondition: there is a function.
CallGrammar call_grammar(ToolCallForm form, std::span<const ToolFunction> functions, bool parallel,
                         const text::Tokenizer& tokenizer);

}  // namespace quern::infer
