#include "infer/tool_calls.h"

#include <algorithm>

#include "base/ascii.h"
#include "infer/open_suffix.h"

namespace quern::infer {

namespace {

constexpr std::string_view kPythonTag = "<|python_tag|>";
constexpr size_t kLongestName = 256;

// Whether `text` begins with `word`, or could once more of it is known.
enum class Begins { no, perhaps, yes };
Begins begins(std::string_view text, std::string_view word) {
  if (text.starts_with(word)) return Begins::yes;
  return word.starts_with(text) ? Begins::perhaps : Begins::no;
}

}  // namespace

ToolCallForm tool_call_form(std::string_view chat_template) {
  const auto says = [&](std::string_view word) { return chat_template.find(word) != std::string_view::npos; };
  if (says(kHermesOpener)) return ToolCallForm::hermes;
  if (says(kMistralOpener))
    return says(kMistralArguments) ? ToolCallForm::mistral_args : ToolCallForm::mistral;
  return says(kPythonTag) ? ToolCallForm::llama : ToolCallForm::plain;
}

std::string_view ToolCallParser::opener() const {
  if (form_ == ToolCallForm::hermes) return kHermesOpener;
  return is_mistral() ? kMistralOpener : kPythonTag;
}

std::string_view ToolCallParser::closer() const { return form_ == ToolCallForm::hermes ? kHermesCloser : ""; }

std::vector<ToolPiece> ToolCallParser::push(std::string_view text) {
  held_ += text;
  std::vector<ToolPiece> pieces;
  while (step(pieces)) {
  }
  return pieces;
}

std::vector<ToolPiece> ToolCallParser::finish() {
  std::vector<ToolPiece> pieces = push({});
  // A call that was cut off keeps what there is of it, as does the end of one; what was none yet is text.
  const bool told = (state_ == State::call && named_) || (state_ == State::calls && any_told_);
  if (!told) give_up(pieces, held_.size());
  held_.clear();
  return pieces;
}

bool ToolCallParser::step(std::vector<ToolPiece>& pieces) {
  if (held_.empty()) return false;
  switch (state_) {
    case State::start:
      return step_start(pieces);
    case State::text:
      return step_text(pieces);
    case State::calls:
      return step_calls(pieces);
    case State::name:
      return step_name(pieces);
    case State::call:
      return step_call(pieces);
  }
  return false;
}

void ToolCallParser::give_text(std::vector<ToolPiece>& pieces, size_t bytes) {
  if (bytes == 0) return;
  pieces.push_back({.text = held_.substr(0, bytes), .call = {}});
  held_.erase(0, bytes);
}

// Leaves out what stands around calls, and remembers it where none has come yet.
void ToolCallParser::skip(size_t bytes) {
  if (!any_told_) skipped_ += held_.substr(0, bytes);
  held_.erase(0, bytes);
}

// It was no call: text, up to the next `bytes`.
void ToolCallParser::give_up(std::vector<ToolPiece>& pieces, size_t bytes) {
  held_ = skipped_ + call_ + held_;
  give_text(pieces, skipped_.size() + call_.size() + bytes);
  skipped_.clear();
  call_.clear();
  state_ = State::text;
}

void ToolCallParser::begin_call() {
  reader_ = CallReader();
  call_.clear();
  named_ = any_arguments_ = false;
  state_ = State::call;
}

// A bare call may stand at the beginning of an answer only.
bool ToolCallParser::step_start(std::vector<ToolPiece>&) {
  const auto first = std::ranges::find_if_not(held_, is_json_space) - held_.begin();
  const std::string_view rest = std::string_view(held_).substr(static_cast<size_t>(first));
  if (rest.empty()) return false;
  const bool bare = form_ == ToolCallForm::llama || form_ == ToolCallForm::plain;
  if (bare && (rest[0] == '{' || rest[0] == '[')) {
    state_ = State::calls;
    return true;
  }
  if (begins(rest, opener()) == Begins::perhaps) return false;
  state_ = State::text;
  return true;
}

bool ToolCallParser::step_text(std::vector<ToolPiece>& pieces) {
  const size_t open = held_.find(opener());
  if (open == std::string::npos) {
    // White space that a call may follow is not certain either.
    size_t certain = held_.size() - open_suffix(held_, opener());
    while (certain > 0 && is_json_space(held_[certain - 1])) --certain;
    give_text(pieces, certain);
    return false;
  }
  size_t text = open;  // without the white space before a call, which is no part of the answer
  while (text > 0 && is_json_space(held_[text - 1])) --text;
  give_text(pieces, text);
  any_told_ = false;
  skip(open - text + opener().size());
  state_ = State::calls;
  return true;
}

// Between calls.
bool ToolCallParser::step_calls(std::vector<ToolPiece>& pieces) {
  for (const std::string_view tag : {closer(), opener()}) {
    if (tag.empty()) continue;
    const Begins begun = begins(held_, tag);
    // The bracket that opens a list begins Mistral's tag, too.
    if (begun == Begins::perhaps) return false;
    if (begun == Begins::no) continue;
    any_told_ = any_told_ && tag != opener();
    skip(tag.size());
    return true;
  }
  const char byte = held_[0];
  if (byte == '{') {
    begin_call();
    return true;
  }
  if (is_json_space(byte) || byte == '[' || byte == ',' || byte == ';' || byte == ']') {
    skip(1);
    return true;
  }
  if (is_mistral() && !any_told_) {
    state_ = State::name;
  } else {
    give_up(pieces, 0);
  }
  return true;
}

bool ToolCallParser::step_name(std::vector<ToolPiece>& pieces) {
  const size_t end = held_.find(kMistralArguments);
  if (end == std::string::npos) {
    if (held_.size() < kLongestName) return false;
    give_up(pieces, 0);  // no name is that long
    return true;
  }
  begin_call();
  // Told as if it had been written in the other way.
  for (const char byte : "{\"name\": \"" + held_.substr(0, end) + "\", \"arguments\": ") reader_.push(byte);
  bare_arguments_ = true;
  held_.erase(0, end + kMistralArguments.size());
  return true;
}

// Tells what is new about the call that is being read.
void ToolCallParser::tell(std::vector<ToolPiece>& pieces) {
  if (reader_.name().empty()) return;
  ToolPiece::Call call{.index = calls_ - (named_ ? 1 : 0), .name = {}, .arguments = reader_.take_arguments()};
  if (!named_) {
    call.name = reader_.name();
    named_ = any_told_ = true;
    ++calls_;
    skipped_.clear();
    call_.clear();
  }
  any_arguments_ = any_arguments_ || !call.arguments.empty();
  if (call.name.empty() && call.arguments.empty()) return;
  pieces.push_back({.text = {}, .call = std::move(call)});
}

bool ToolCallParser::step_call(std::vector<ToolPiece>& pieces) {
  size_t read = 0;
  auto status = CallReader::Status::more;
  while (read < held_.size() && status == CallReader::Status::more) {
    status = reader_.push(held_[read++]);
    if (bare_arguments_ && reader_.has_arguments()) status = CallReader::Status::done;
  }
  if (status == CallReader::Status::broken && !named_ && reader_.name().empty()) {
    give_up(pieces, read);
    return true;
  }
  if (!named_) call_ += held_.substr(0, read);
  held_.erase(0, read);
  tell(pieces);
  if (status == CallReader::Status::more) return false;
  bare_arguments_ = false;
  if (!named_) {  // an object without a name
    give_up(pieces, 0);
    return true;
  }
  if (!any_arguments_) pieces.push_back({.text = {}, .call = ToolPiece::Call{calls_ - 1, {}, "{}"}});
  state_ = State::calls;
  return true;
}

}  // namespace quern::infer
