#include "server/response_items.h"

#include <utility>

#include "server/api_format.h"

namespace quern::server {

void ResponseItems::add(const AnswerReader::Part& part, Json logprobs) {
  if (part.call) {
    if (!part.call->name.empty()) begin(Kind::call, part.call->name);
    if (kind_ == Kind::call) grow(part.call->arguments, Json::array());
    return;
  }
  const Kind kind = part.reasoning.empty() ? Kind::message : Kind::reasoning;
  if (kind_ != kind) begin(kind);
  grow(part.reasoning.empty() ? part.content : part.reasoning, std::move(logprobs));
}

void ResponseItems::finish(std::string_view status, Json logprobs) {
  if (kind_ == Kind::none && items_.empty()) begin(Kind::message);
  if (kind_ == Kind::message) logprobs_.insert(logprobs_.end(), logprobs.begin(), logprobs.end());
  end(status);
}

void ResponseItems::begin(Kind kind, const std::string& name) {
  end("completed");
  kind_ = kind;
  text_.clear();
  logprobs_ = Json::array();
  if (kind == Kind::reasoning) {
    item_ = {{"id", new_id("rs_")}, {"type", "reasoning"}, {"summary", Json::array()}};
  } else if (kind == Kind::message) {
    item_ = {{"id", new_id("msg_")}, {"type", "message"}, {"role", "assistant"}};
  } else {
    item_ = {{"id", new_id("fc_")},
             {"type", "function_call"},
             {"call_id", new_id("call_")},
             {"name", name},
             {"arguments", ""}};
  }
  item_["status"] = "in_progress";
  if (has_parts()) item_["content"] = Json::array();
  tell_("response.output_item.added", {{"output_index", items_.size()}, {"item", item_}});
  if (has_parts()) tell("response.content_part.added", {{"part", part()}});
}

void ResponseItems::grow(const std::string& text, Json logprobs) {
  if (text.empty()) return;
  text_ += text;
  if (kind_ == Kind::call) return tell("response.function_call_arguments.delta", {{"delta", text}});
  if (kind_ == Kind::reasoning) return tell("response.reasoning_text.delta", {{"delta", text}});
  logprobs_.insert(logprobs_.end(), logprobs.begin(), logprobs.end());
  tell("response.output_text.delta", {{"delta", text}, {"logprobs", std::move(logprobs)}});
}

void ResponseItems::end(std::string_view status) {
  if (kind_ == Kind::none) return;
  item_["status"] = status;
  if (kind_ == Kind::call) {
    item_["arguments"] = text_;
    tell("response.function_call_arguments.done", {{"name", item_["name"]}, {"arguments", text_}});
  } else if (kind_ == Kind::reasoning) {
    tell("response.reasoning_text.done", {{"text", text_}});
  } else {
    tell("response.output_text.done", {{"text", text_}, {"logprobs", logprobs_}});
  }
  if (has_parts()) {
    item_["content"].push_back(part());
    tell("response.content_part.done", {{"part", item_["content"][0]}});
  }
  tell_("response.output_item.done", {{"output_index", items_.size()}, {"item", item_}});
  items_.push_back(std::move(item_));
  kind_ = Kind::none;
}

// An event of the item that grows.
void ResponseItems::tell(std::string_view type, const Json& fields) {
  Json event = {{"item_id", item_["id"]}, {"output_index", items_.size()}};
  if (has_parts()) event["content_index"] = 0;
  event.update(fields);
  tell_(type, std::move(event));
}

Json ResponseItems::part() const {
  if (kind_ == Kind::reasoning) return {{"type", "reasoning_text"}, {"text", text_}};
  return {{"type", "output_text"}, {"text", text_}, {"annotations", Json::array()}, {"logprobs", logprobs_}};
}

Json ResponseItems::message() const {
  std::string content, reasoning;
  Json calls = Json::array();
  for (const Json& item : items_) {
    if (item["type"] == "function_call") {
      calls.push_back({{"id", item["call_id"]},
                       {"type", "function"},
                       {"function", {{"name", item["name"]}, {"arguments", item["arguments"]}}}});
    } else {
      (item["type"] == "reasoning" ? reasoning : content) += item["content"][0]["text"].get<std::string>();
    }
  }
  Json message = {{"role", "assistant"}, {"content", content}};
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  return message;
}

}  // namespace quern::server
