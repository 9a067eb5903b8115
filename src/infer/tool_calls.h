// Calls of functions in what a model writes: each family has its own way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "infer/call_reader.h"

namespace quern::infer {

enum class ToolCallForm {
  hermes,        // <tool_call>{"name", "arguments"}</tool_call>: Hermes, Qwen 2.5 and 3
  mistral,       // [TOOL_CALLS][{"name", "arguments"}, ...]
  mistral_args,  // [TOOL_CALLS]name[ARGS]{...}, since version 11; readers take both for both
  llama,  // {"name", "parameters"} as the whole answer, several with semicolons, <|python_tag|> before it or not
  plain,  // the same without a tag: what models do that were told so
};
inline constexpr std::string_view kHermesOpener = "<tool_call>", kHermesCloser = "</tool_call>";
inline constexpr std::string_view kMistralOpener = "[TOOL_CALLS]", kMistralArguments = "[ARGS]";

// The form that a chat template teaches; plain where it teaches none.
ToolCallForm tool_call_form(std::string_view chat_template);

// A piece of an answer: text, or a part of a call.
struct ToolPiece {
  std::string text;
  struct Call {
    int64_t index = 0;
    std::string name;       // in the first piece of a call only
    std::string arguments;  // JSON text, to be joined
  };
  std::optional<Call> call = {};
};

// Tells calls from text in a stream: however it is cut into pieces, the joined pieces are the same. What begins like a call
// and is none is text. Not thread-safe.
class ToolCallParser {
 public:
  explicit ToolCallParser(ToolCallForm form) : form_(form) {}

  std::vector<ToolPiece> push(std::string_view text);
  // What is held back, when the answer is over.
  std::vector<ToolPiece> finish();
  // Calls that have begun.
  int64_t calls() const { return calls_; }

 private:
  enum class State { start, text, calls, name, call };  // name: of a Mistral call, up to [ARGS]
  bool step(std::vector<ToolPiece>& pieces);
  bool step_start(std::vector<ToolPiece>& pieces);
  bool step_text(std::vector<ToolPiece>& pieces);
  bool step_calls(std::vector<ToolPiece>& pieces);
  bool step_name(std::vector<ToolPiece>& pieces);
  bool step_call(std::vector<ToolPiece>& pieces);
  void skip(size_t bytes);
  void begin_call();
  void give_up(std::vector<ToolPiece>& pieces, size_t bytes);
  void tell(std::vector<ToolPiece>& pieces);
  void give_text(std::vector<ToolPiece>& pieces, size_t bytes);
  bool is_mistral() const { return form_ == ToolCallForm::mistral || form_ == ToolCallForm::mistral_args; }
  std::string_view opener() const;
  std::string_view closer() const;

  ToolCallForm form_;
  State state_ = State::start;
  std::string held_;     // not yet told
  std::string skipped_;  // tags and brackets before a call, until it is known to be one
  std::string call_;     // of the call so far, as long
  CallReader reader_;
  bool named_ = false;     // the name of the call was told
  bool any_told_ = false;  // a call since the last tag
  bool any_arguments_ = false;
  bool bare_arguments_ = false;  // the reader sees a name that it was given, and no closing brace
  int64_t calls_ = 0;
};

}  // namespace quern::infer
