// One function call as models write it, byte by byte: {"name": "f", "arguments": {...}} and its kin.
#pragma once

#include <string>
#include <string_view>

namespace quern::infer {

// Takes {"name", "arguments" or "parameters"}, the same inside of "function", and {"function": "f", ...}; keys come in any
// order, others are left out. Not thread-safe.
class CallReader {
 public:
  enum class Status { more, done, broken };  // broken: no JSON object, or not one that begins as a call does

  // The next byte, from the opening brace on.
  Status push(char byte);

  // Empty until it is known. What of it comes from JSON escapes is decoded.
  const std::string& name() const { return name_; }
  // Of the arguments, as JSON text: what came since the last call, none before the name is known. Arguments that were
  // written as a string of JSON come in one piece, decoded.
  std::string take_arguments();
  // Whether arguments were read to their end.
  bool has_arguments() const { return has_arguments_; }
  // Whether the call has a name and is whole.
  bool is_call() const { return state_ == State::done && !name_.empty(); }

 private:
  enum class State { open, key, in_key, colon, value, in_value, after_value, done };
  Status begin_value(char byte);
  Status push_value(char byte);
  void end_value();

  State state_ = State::open;
  int nested_ = 0;  // objects under "function" that are open
  std::string key_;
  // The value that is being read.
  bool in_string_ = false, escaped_ = false, is_string_ = false, is_plain_ = false;
  int depth_ = 0;
  std::string value_;
  bool is_arguments_ = false, has_arguments_ = false;

  std::string name_;
  std::string arguments_;  // not taken yet
};

}  // namespace quern::infer
