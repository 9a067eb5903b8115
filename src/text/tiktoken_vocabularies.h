// The published rank files: which pattern and special tokens belong to one is written nowhere in it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "text/tiktoken.h"

namespace quern::text {

// Whether a file begins as rank files do: "IQ== 0".
bool looks_like_tiktoken(std::string_view content);

// What a file with `ranks` ranks is: by `name` when that is a vocabulary's (cl100k_base), else by the number of ranks, else
// by the `family` of the model beside it (llama, qwen; see family_key). unsupported (names those known) when none says it.
Result<TiktokenSpec> find_tiktoken_spec(std::string_view name, int64_t ranks, std::string_view family);

}  // namespace quern::text
