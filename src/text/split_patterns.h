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
// The first name whose rules split as `rules` do; rules that differ in `nfc` alone are taken where there are no others,
// because other readers of GGUF do not normalise. Errors: unsupported (shows the patterns).
Result<std::string> find_split_name(const SplitRules& rules);

}  // namespace quern::text
