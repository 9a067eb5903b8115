#include "infer/call_reader.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/ascii.h"

namespace quern::infer {

namespace {

constexpr int kMostDepth = 100;  // of the arguments: deeper ones are no JSON that anybody should parse

// What a call may begin with, before its name is known.
constexpr std::string_view kKeys[] = {"name", "function", "type", "id", "arguments", "parameters"};

// The text that a JSON string, with its quotes, stands for; the string itself where it is none.
std::string unquoted(const std::string& json) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  return parsed.is_string() ? parsed.get<std::string>() : json;
}

}  // namespace

CallReader::Status CallReader::push(char byte) {
  switch (state_) {
    case State::open:
      if (is_json_space(byte)) return Status::more;
      if (byte != '{') return Status::broken;
      state_ = State::key;
      return Status::more;
    case State::key:
    case State::after_value:
      if (is_json_space(byte) || (byte == ',' && state_ == State::after_value)) {
        if (byte == ',') state_ = State::key;
        return Status::more;
      }
      if (byte == '}') {
        if (nested_ > 0) {
          --nested_;
          state_ = State::after_value;
          return Status::more;
        }
        state_ = State::done;
        return Status::done;
      }
      if (byte != '"' || state_ == State::after_value) return Status::broken;
      key_ = "\"";
      escaped_ = false;
      state_ = State::in_key;
      return Status::more;
    case State::in_key:
      key_ += byte;
      if (byte != '"' || escaped_) {
        escaped_ = byte == '\\' && !escaped_;
        return key_.size() > 64 ? Status::broken : Status::more;
      }
      key_ = unquoted(key_);
      if (name_.empty() && std::ranges::find(kKeys, key_) == std::end(kKeys)) return Status::broken;
      state_ = State::colon;
      return Status::more;
    case State::colon:
      if (is_json_space(byte)) return Status::more;
      if (byte != ':') return Status::broken;
      state_ = State::value;
      return Status::more;
    case State::value:
      return is_json_space(byte) ? Status::more : begin_value(byte);
    case State::in_value:
      return push_value(byte);
    case State::done:
      break;
  }
  return Status::broken;
}

CallReader::Status CallReader::begin_value(char byte) {
  if (key_ == "function" && byte == '{' && nested_ == 0) {
    nested_ = 1;
    state_ = State::key;
    return Status::more;
  }
  is_arguments_ =
      !has_arguments_ && (key_ == "arguments" || key_ == "parameters");  // the first are told already
  is_string_ = byte == '"';
  is_plain_ = !is_string_ && byte != '{' && byte != '[';
  in_string_ = escaped_ = false;
  depth_ = 0;
  value_.clear();
  state_ = State::in_value;
  return push_value(byte);
}

CallReader::Status CallReader::push_value(char byte) {
  // A number or a word ends where something else begins, which is read again.
  if (is_plain_ && (byte == ',' || byte == '}' || is_json_space(byte))) {
    end_value();
    return push(byte);
  }
  const bool streamed = is_arguments_ && !is_string_ && !is_plain_;
  (streamed ? arguments_ : value_) += byte;
  if (in_string_) {
    if (byte == '"' && !escaped_) in_string_ = false;
    escaped_ = byte == '\\' && !escaped_;
  } else if (byte == '"') {
    in_string_ = true;
    escaped_ = false;
  } else if (byte == '{' || byte == '[') {
    if (++depth_ > kMostDepth) return Status::broken;
  } else if (byte == '}' || byte == ']') {
    --depth_;
  }
  if (!is_plain_ && !in_string_ && depth_ == 0) end_value();
  return Status::more;
}

void CallReader::end_value() {
  state_ = State::after_value;
  if (is_arguments_) {
    has_arguments_ = true;
    if (is_string_) arguments_ += unquoted(value_);
    if (is_plain_) arguments_ += "{}";  // null, or nothing that could be arguments
  } else if (is_string_ && name_.empty() && (key_ == "name" || key_ == "function")) {
    name_ = unquoted(value_);
  }
}

std::string CallReader::take_arguments() {
  return name_.empty() ? std::string() : std::exchange(arguments_, {});
}

}  // namespace quern::infer
