#include "server/answer_reader.h"

#include <utility>

namespace quern::server {

AnswerReader::AnswerReader(const ChatCall& call)
    : reasoning_(call.prompt), parallel_calls_(call.parallel_calls) {
  if (call.tools) tools_.emplace(*call.tools);
}

std::vector<AnswerReader::Part> AnswerReader::read(const engine::Update& update) {
  std::vector<Part> parts;
  take(reasoning_.push(update.text), parts);
  if (!update.last()) return parts;
  take(reasoning_.finish(), parts);
  if (tools_) take(tools_->finish(), parts);
  return parts;
}

void AnswerReader::take(std::vector<infer::AnswerPiece>&& pieces, std::vector<Part>& parts) {
  for (infer::AnswerPiece& piece : pieces) {
    if (piece.text.empty()) continue;
    if (piece.is_reasoning) {
      parts.push_back({.reasoning = std::move(piece.text), .content = {}});
    } else if (tools_) {
      take(tools_->push(piece.text), parts);
    } else {
      parts.push_back({.reasoning = {}, .content = std::move(piece.text)});
    }
  }
}

void AnswerReader::take(std::vector<infer::ToolPiece>&& pieces, std::vector<Part>& parts) const {
  for (infer::ToolPiece& piece : pieces) {
    if (piece.call && piece.call->index > 0 && !parallel_calls_) continue;
    parts.push_back({.reasoning = {}, .content = std::move(piece.text), .call = std::move(piece.call)});
  }
}

void Answer::add(std::vector<AnswerReader::Part>&& parts, engine::Update&& update) {
  for (AnswerReader::Part& part : parts) {
    reasoning += part.reasoning;
    content += part.content;
    if (!part.call) continue;
    if (!part.call->name.empty()) {
      calls.push_back(*std::move(part.call));
    } else if (!calls.empty()) {
      calls.back().arguments += part.call->arguments;
    }
  }
  for (engine::TokenUpdate& token : update.tokens) tokens.push_back(std::move(token));
  if (update.finish) finish = *update.finish;
}

}  // namespace quern::server
