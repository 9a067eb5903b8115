// Any text as an answer that may call tools: however it is cut into pieces, the calls and the text are the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "infer/tool_calls.h"

namespace {

using quern::infer::ToolCallForm;
using quern::infer::ToolCallParser;
using quern::infer::ToolPiece;

struct Read {
  std::string text, calls;
  bool operator==(const Read&) const = default;
};

void take(const std::vector<ToolPiece>& pieces, Read& read) {
  for (const ToolPiece& piece : pieces) {
    read.text += piece.text;
    if (!piece.call) continue;
    if (!piece.call->name.empty())
      read.calls += "\n" + std::to_string(piece.call->index) + piece.call->name + "\n";
    read.calls += piece.call->arguments;
  }
}

Read read(ToolCallForm form, std::string_view text, size_t step) {
  ToolCallParser parser(form);
  Read result;
  for (size_t at = 0; at < text.size(); at += step) take(parser.push(text.substr(at, step)), result);
  take(parser.finish(), result);
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto form = static_cast<ToolCallForm>(data[0] % 5);
  const size_t step = 1 + data[1] % 32;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const Read whole = read(form, text, size);
  if (!(read(form, text, 1) == whole) || !(read(form, text, step) == whole)) __builtin_trap();
  return 0;
}
