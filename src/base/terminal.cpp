#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace quern::terminal {

namespace {
std::mutex mutex;
std::string live_line;

constexpr const char* kEraseLine = "\r\033[K";

void put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }
}  // namespace

bool is_interactive() {
  static const bool interactive = [] {
    const char* choice = std::getenv("QUERN_PROGRESS");
    if (choice != nullptr && std::string_view(choice) == "bar") return true;
    if (choice != nullptr && std::string_view(choice) == "plain") return false;
    const char* term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && (term == nullptr || std::string_view(term) != "dumb");
  }();
  return interactive;
}

int width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::max<int>(size.ws_col, 40);
}

std::string without_controls(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_c0 = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F;
    // U+0080 to U+009F, of which U+009B begins escape sequences as ESC [ does.
    const bool is_c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (is_c0 || is_c1)
      out += "\uFFFD";
    else
      out += text[i];
    i += is_c1 ? 1 : 0;
  }
  return out;
}

void set_live_line(std::string_view text) {
  const std::lock_guard lock(mutex);
  live_line = text;
  put(kEraseLine + live_line);
  std::fflush(stderr);
}

void clear_live_line() {
  const std::lock_guard lock(mutex);
  if (live_line.empty()) return;
  live_line.clear();
  put(kEraseLine);
  std::fflush(stderr);
}

void print_line(std::string_view text) {
  const std::lock_guard lock(mutex);
  std::string out = live_line.empty() ? std::string() : std::string(kEraseLine);
  out.append(without_controls(text)).append("\n").append(live_line);
  put(out);  // one write, so that lines of several processes do not mix
  std::fflush(stderr);
}

}  // namespace quern::terminal
