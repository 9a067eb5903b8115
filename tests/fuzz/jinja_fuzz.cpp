// Any bytes as a chat template, over a small conversation and within a small budget: errors, never crashes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::text::jinja;
  static const auto variables = nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "system", "content": "Sé \"brief\"."}, {"role": "user", "content": [{"type": "text", "text": "a"}]},
                 {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.5}}}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"type": "number"}}}}}],
    "add_generation_prompt": true, "bos_token": "<s>", "n": -7, "none": null})");
  RenderOptions options;
  options.now = 1'753'000'000;
  options.limits = {.steps = 100'000, .memory = 8 << 20, .output = 1 << 20};
  const auto parsed = Template::parse(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!parsed.ok()) return 0;
  const auto rendered = parsed->render(variables, options);
  if (rendered.ok() && rendered->text.size() > options.limits.output) __builtin_trap();
  return 0;
}
