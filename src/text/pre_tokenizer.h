// Pre-tokenizers of tokenizer.json: split a segment into pieces that no token crosses. Thread-safe after
// loading.
#pragma once

#include <memory>
#include <vector>

#include "text/json_fields.h"
#include "text/segment.h"

namespace quern::text {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Replaces the pieces of `segment` by finer ones; may also edit the text. No piece is empty afterwards.
  virtual void apply(Segment& segment) const = 0;
};

struct PreTokenizers {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  // ByteLevel stands last: the model is given bytes, and its vocabulary is written in the byte alphabet.
  bool byte_level = false;
};

// The value of "pre_tokenizer" as a list, Sequences flattened; null gives an empty list.
// `model_reads_bytes`: a ByteLevel that stands last leaves the bytes to the model instead of writing them as
// characters of the byte alphabet. Errors: unsupported (names the type or the regular expression), corrupt (a
// wrong field).
Result<PreTokenizers> make_pre_tokenizers(const Json& component, bool model_reads_bytes);

}  // namespace quern::text
