// The answer to a conversation, as it becomes certain: what the model thinks aloud, what it says, what it calls.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "infer/reasoning.h"
#include "infer/tool_calls.h"
#include "server/chat_call.h"

namespace quern::server {

// Not thread-safe.
class AnswerReader {
 public:
  explicit AnswerReader(const ChatCall& call);

  // One of the three.
  struct Part {
    std::string reasoning, content;
    std::optional<infer::ToolPiece::Call> call = {};
  };
  std::vector<Part> read(const engine::Update& update);
  // It has begun to call something.
  bool called() const { return tools_ && tools_->calls() > 0; }

 private:
  void take(std::vector<infer::AnswerPiece>&& pieces, std::vector<Part>& parts);
  void take(std::vector<infer::ToolPiece>&& pieces, std::vector<Part>& parts) const;

  infer::ReasoningSplitter reasoning_;
  std::optional<infer::ToolCallParser> tools_;
  bool parallel_calls_;
};

// The parts of an answer put together.
struct Answer {
  std::string reasoning, content;
  std::vector<infer::ToolPiece::Call> calls;  // each whole
  std::vector<engine::TokenUpdate> tokens;
  infer::FinishReason finish = infer::FinishReason::stop;

  // Takes the tokens of `update`, whose parts are `parts`.
  void add(std::vector<AnswerReader::Part>&& parts, engine::Update&& update);
};

}  // namespace quern::server
