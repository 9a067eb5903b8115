// The terminal of a conversation: messages in, answers out, with what the model thinks aloud set apart.
#pragma once

#include <optional>
#include <string>

#include "infer/chat.h"

namespace quern::cli {

// Messages come from stdin, answers go to stdout, the prompt to stderr. Colours only where stdout is a
// terminal and NO_COLOR is not set. What the model writes cannot control the terminal.
class ChatConsole {
 public:
  // `talks`: show a prompt where stdin is a terminal.
  explicit ChatConsole(bool talks);

  bool is_interactive() const { return interactive_; }
  // The next message: a line; lines that end in "\" and the one after; all lines between two of """; what was
  // pasted at once. Nothing at the end of the input, and after Ctrl-C was pressed twice.
  std::optional<std::string> read();

  void show(const infer::AnswerPiece& piece);
  // Ends the answer's last line.
  void end_answer();

 private:
  std::optional<std::string> read_line(const char* prompt);
  bool wait_for_input(const char* prompt);
  void set_dim(bool dim);

  bool interactive_;
  bool to_terminal_;
  bool colours_;
  bool dim_ = false;
  bool reasoned_ = false;  // the reasoning of this answer was shown last
};

}  // namespace quern::cli
