// The rules of tokenizer.json for the length of what a model is given. They are read and kept; whoever builds
// batches applies them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "text/json_fields.h"
#include "text/vocabulary.h"

namespace quern::text {

enum class Side { left, right };

struct Truncation {
  enum class Strategy { longest_first, only_first, only_second };
  Side side = Side::right;  // where tokens are cut off
  Strategy strategy = Strategy::longest_first;
  uint32_t max_length = 0;
  uint32_t stride = 0;
};

struct Padding {
  Side side = Side::right;        // where tokens are added
  std::optional<uint32_t> fixed;  // to this length; else to the longest text of the batch
  std::optional<uint32_t> multiple_of;
  TokenId id = 0;
  int32_t type_id = 0;
  std::string token = "[PAD]";
};

// The values of "truncation" and "padding"; null gives nothing. Errors: corrupt.
Result<std::optional<Truncation>> read_truncation(const Json& json);
Result<std::optional<Padding>> read_padding(const Json& json);

}  // namespace quern::text
