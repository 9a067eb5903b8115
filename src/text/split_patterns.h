// The split patterns of published byte-level models, by the names that GGUF files use for them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::text {

struct SplitRules {
  std::vector<std::string> patterns;  // applied one after the other
  bool nfc = false;                   // the model's own tokenizer normalises first
  bool ignore_merges = false;         // a piece that is a token needs no merges
};

// Errors: unsupported (lists the known names).
Result<SplitRules> find_split_rules(std::string_view name);

}  // namespace quern::text
