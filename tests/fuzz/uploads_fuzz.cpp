// Any bytes as a form, as the lines of a batch, and as what /v1/responses is asked: errors, never crashes; and what is read
// lies within the bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/batch_input.h"
#include "server/multipart.h"
#include "server/response_request.h"

namespace {

using namespace quern;
using namespace quern::server;

bool within(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The first line as the type of a form, the rest as the form.
  const size_t line = std::min(text.find('\n'), text.size());
  const std::string_view body = text.substr(std::min(line + 1, text.size()));
  for (const std::string_view type :
       {text.substr(0, line), std::string_view("multipart/form-data; boundary=X")}) {
    const auto parts = parse_form(type, body);
    if (!parts.ok()) continue;
    for (const FormPart& part : *parts) {
      if (!within(part.content, body)) __builtin_trap();
    }
  }
  BatchInput input;
  read_batch_input(std::string(text), "/v1/responses", input);
  for (const auto& [id, index] : input.by_id) {
    if (index >= input.lines.size() || !within(input.lines[index], input.text)) __builtin_trap();
  }
  if (const auto asked = parse_ordered_json(text, "fuzz"); asked.ok()) (void)read_response_request(*asked);
  return 0;
}
