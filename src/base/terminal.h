// The user's terminal on stderr: one live line at the bottom (a progress bar) and ordinary lines that scroll
// above it. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace quern::terminal {

// True when stderr is a terminal that understands cursor control. QUERN_PROGRESS=plain|bar overrides.
bool is_interactive();
// Columns of the terminal, at least 40; 80 when unknown.
int width();

// Valid UTF-8 without what a terminal obeys: control characters but for line ends and tabs become U+FFFD. For
// text from elsewhere (what a model writes) that goes to a terminal.
std::string without_controls(std::string_view text);

// Replaces the live line. Precondition: no newline in it. Only call when is_interactive().
void set_live_line(std::string_view text);
// Removes the live line, if there is one.
void clear_live_line();
// Writes an ordinary line to stderr, without_controls(), since messages quote files; the live line moves out of its way and comes
// back.
void print_line(std::string_view text);

}  // namespace quern::terminal
