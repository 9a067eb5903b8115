// The items of a response, and the events that tell of them as they grow.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "server/answer_reader.h"

namespace quern::server {

// Parts of an answer in their order become items: "reasoning", "message" and "function_call". Not thread-safe.
class ResponseItems {
 public:
  // Hears of each event as it is due, but for its sequence number.
  using Tell = std::function<void(std::string_view type, const Json& event)>;
  explicit ResponseItems(Tell tell) : tell_(std::move(tell)) {}

  // `logprobs`: those of the tokens behind it, a list.
  void add(const AnswerReader::Part& part, Json logprobs);
  // The last item is over: "completed", or "incomplete". An answer that says nothing has an empty message.
  void finish(std::string_view status, Json logprobs);

  // Those that are over.
  const Json& items() const { return items_; }
  // All of them as one message of a conversation.
  Json message() const;

 private:
  enum class Kind { none, reasoning, message, call };

  void begin(Kind kind, const std::string& name = {});
  void end(std::string_view status);
  void grow(const std::string& text, Json logprobs);
  void tell(std::string_view type, const Json& fields);
  bool has_parts() const { return kind_ == Kind::reasoning || kind_ == Kind::message; }
  Json part() const;

  Tell tell_;
  Json items_ = Json::array();
  Kind kind_ = Kind::none;
  Json item_;         // the one that grows
  std::string text_;  // its text or arguments, so far
  Json logprobs_;
};

}  // namespace quern::server
