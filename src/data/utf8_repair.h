// Text that claims to be UTF-8 and is not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quern::data {

// Index of the first byte that is not part of valid UTF-8, or npos.
size_t find_invalid_utf8(std::string_view text);

// Replaces each invalid sequence with U+FFFD, one per maximal subpart as in the Unicode standard
// (section 3.9) and the WHATWG decoder; returns how many.
int64_t repair_utf8(std::string& text);

}  // namespace quern::data
