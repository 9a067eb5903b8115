#include "cli/chat_console.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "base/interrupt.h"
#include "base/terminal.h"

namespace quern::cli {

namespace {

constexpr std::string_view kBlock = "\"\"\"";

void write(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

bool wants_colours() {
  const char* const no = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  return (no == nullptr || *no == '\0') && (term == nullptr || std::string_view(term) != "dumb");
}

bool has_input(int milliseconds) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, milliseconds) == 1;
}

// A terminal gives one line at a time. When the next is there at once, nobody has typed it.
bool more_was_pasted() { return has_input(20); }

}  // namespace

ChatConsole::ChatConsole(bool talks)
    : interactive_(talks && ::isatty(STDIN_FILENO) == 1),
      to_terminal_(::isatty(STDOUT_FILENO) == 1),
      colours_(to_terminal_ && wants_colours()) {}

// Shows the prompt and waits. False after Ctrl-C.
bool ChatConsole::wait_for_input(const char* prompt) {
  const InterruptGuard guard("");
  std::fputs(prompt, stderr);
  std::fflush(stderr);
  while (!has_input(100)) {
    if (InterruptGuard::requested()) return false;
  }
  return true;
}

std::optional<std::string> ChatConsole::read_line(const char* prompt) {
  if (interactive_) {
    if (!wait_for_input(prompt)) {
      std::fputs("\n(Ctrl-C again or Ctrl-D ends)\n", stderr);
      if (!wait_for_input(prompt)) return std::nullopt;
    }
  }
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

std::optional<std::string> ChatConsole::read() {
  std::optional<std::string> message = read_line("> ");
  if (!message) {
    if (interactive_) std::fputs("\n", stderr);
    return std::nullopt;
  }
  if (message->starts_with(kBlock)) {
    message->erase(0, kBlock.size());
    while (!message->ends_with(kBlock)) {
      const std::optional<std::string> line = read_line(". ");
      if (!line) return message;
      *message += (message->empty() ? "" : "\n") + *line;
    }
    message->resize(message->size() - kBlock.size());
    if (message->ends_with('\n')) message->pop_back();
    return message;
  }
  for (;;) {
    const bool continued = message->ends_with('\\');
    const bool pasted = interactive_ && !message->starts_with('/') && more_was_pasted();
    if (!continued && !pasted) return message;
    if (continued) message->pop_back();
    const std::optional<std::string> line = read_line(pasted ? "" : ". ");
    if (!line) return message;
    *message += "\n" + *line;
  }
}

void ChatConsole::set_dim(bool dim) {
  if (dim == dim_) return;
  dim_ = dim;
  if (colours_) write(dim ? "\033[2m" : "\033[0m");
}

void ChatConsole::show(const infer::AnswerPiece& piece) {
  if (piece.text.empty()) return;
  if (reasoned_ && !piece.is_reasoning) {
    set_dim(false);
    write("\n\n");
  }
  reasoned_ = piece.is_reasoning;
  set_dim(piece.is_reasoning);
  write(to_terminal_ ? terminal::without_controls(piece.text) : piece.text);
}

void ChatConsole::end_answer() {
  set_dim(false);
  reasoned_ = false;
  write("\n");
}

}  // namespace quern::cli
