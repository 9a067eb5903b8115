// The substrings that a set of words repeats, found with a suffix array.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::text {

struct RepeatedSubstring {
  uint32_t begin = 0;       // of one occurrence
  uint32_t bytes = 0;       // at most 4 times kMostCharacters
  uint32_t characters = 0;  // at least 2
  uint32_t count = 0;       // of occurrences, which may overlap
};

// Parts of `text`, valid UTF-8, that occur more than once and not always before the same character; shorter ones are
// not listed where a longer one says the same. They hold at most `most_characters` characters and no NUL, which
// separates words. Errors: invalid_argument for a text of 2 GiB and more. Takes 4 bytes of memory for each byte.
Result<std::vector<RepeatedSubstring>> find_repeated_substrings(std::string_view text,
                                                                uint32_t most_characters);

}  // namespace quern::text
