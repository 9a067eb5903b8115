// Any bytes as tokenizer.json, and any text through what loads: errors, never crashes. The text follows the
// first NUL byte of the input.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/exception.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/tokenizer_report.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::text;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const std::string_view text = end == input.npos ? "It's a test <s> \xFF 1234\n\n" : input.substr(end + 1);
  const auto tokenizer = Tokenizer::from_json(input.substr(0, end), input);
  if (!tokenizer.ok()) return 0;
  try {
    const std::vector<TokenId> ids = tokenizer->encode(text);
    StreamDecoder stream(*tokenizer);
    for (const TokenId id : ids) stream.push(id);
    stream.finish();
    tokenizer->decode(ids);
    tokenizer->encode(text, {.allow_special = false});
    render_splits(*tokenizer, text.substr(0, 1000));
    if (!Tokenizer::from_json(tokenizer->to_json()).ok()) __builtin_trap();
  } catch (const quern::Exception&) {
    // a split pattern out of its budget, or rules that blow up the text
  }
  return 0;
}
