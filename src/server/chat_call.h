// A conversation that a model is asked to go on with, whatever the API it came by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "infer/tool_calls.h"
#include "server/text_request.h"

namespace quern::server {

struct ChatCall {
  TextRequest text;
  std::string prompt;  // rendered
  std::vector<int32_t> tokens;
  std::optional<infer::ToolCallForm> tools;  // answers may call some
  bool parallel_calls = true;                // more than one

  // One for each of the n answers.
  std::vector<engine::Request> requests() const;
};

// Of a body in the words of /v1/chat/completions. Errors of read_text_request, read_conversation and text::render_prompt;
// invalid_argument for what is not for conversations.
Result<ChatCall> read_chat(const Json& body, const ModelTable& models, const Caller* caller);
// The same of a prompt as it stands, without a template. Errors of read_text_request.
Result<ChatCall> read_plain(const Json& body, std::string prompt, const ModelTable& models,
                            const Caller* caller);

}  // namespace quern::server
