// Which functions an answer may call, and whether it must: "tool_choice" and "parallel_tool_calls".
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "infer/tool_grammar.h"
#include "server/served_model.h"

namespace quern::server {

struct ToolChoice {
  std::vector<infer::ToolFunction> functions;  // that may be called; none: the answer is text
  bool required = false;                       // it is calls, and nothing else
  bool parallel = true;                        // more than one
};
// Of a body in the words of /v1/chat/completions, with `tools` as a list or null: OpenAI's "none", "auto", "required",
// {"type": "function", ...} and {"type": "allowed_tools", ...}. invalid_argument for what is none of these, and for
// functions that are not among the tools.
Result<ToolChoice> read_tool_choice(const nlohmann::ordered_json& body, const nlohmann::ordered_json& tools);

struct CallConstraint {
  std::shared_ptr<grammar::TokenMasks> masks;  // null: calls are as the model writes them
  infer::ConstraintStart::Trigger trigger;
};
// What calls are held to. Precondition: there is a function. invalid_argument where parameters are no schema that can be
// enforced; where no call is required and none is strict, they are not enforced then.
Result<CallConstraint> call_constraint(const ToolChoice& choice, infer::ToolCallForm form,
                                       const ServedModel& model);

}  // namespace quern::server
