// Any bytes as a SentencePiece model, and text through what loads: errors, never crashes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/exception.h"
#include "text/sentencepiece.h"
#include "text/stream_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::text;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto model = SentencePieceModel::parse(input);
  if (!model.ok()) return 0;
  const auto tokenizer = make_tokenizer(*model);
  if (!tokenizer.ok()) return 0;
  try {
    for (const std::string_view text :
         {std::string_view("  It's a test <s> \xFF 1234\n\n "), input.substr(0, 500)}) {
      const std::vector<TokenId> ids = tokenizer->encode(text);
      StreamDecoder stream(*tokenizer);
      for (const TokenId id : ids) stream.push(id);
      stream.finish();
      tokenizer->decode(ids);
      tokenizer->encode(text, {.allow_special = false});
    }
    if (!Tokenizer::from_json(tokenizer->to_json()).ok()) __builtin_trap();
  } catch (const quern::Exception&) {
    // rules that blow up the text
  }
  return 0;
}
