// Decoders of tokenizer.json: a list of tokens back to text. Thread-safe after loading.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/json_fields.h"

namespace quern::text {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Rewrites the tokens; the text is what they give when joined after the last decoder.
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

struct Decoders {
  std::vector<std::unique_ptr<Decoder>> steps;
  // The only step is ByteLevel: a text is the bytes of its tokens, so that it can be streamed byte by byte.
  bool byte_level = false;
  // There is no decoder: tokens are joined by spaces.
  bool join_with_spaces = false;

  std::string decode(std::vector<std::string> tokens) const;
};

// The value of "decoder", Sequences flattened. Errors: unsupported (names the type), corrupt.
Result<Decoders> make_decoders(const Json& component);

}  // namespace quern::text
