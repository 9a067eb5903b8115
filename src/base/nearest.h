// "Did you mean ...?": the known name nearest to a mistyped one.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace quern {

// Insertions, deletions, substitutions and swaps of neighbours that turn a into b (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, or "" when none is near enough to be what was meant. Ties go to the first.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

// "did you mean 'x'?" or "". For what people type: cases of letters do not count, and a name may be cut short ("smollm2"
// for "smollm2-135m-instruct").
std::string suggestion(std::string_view name, std::span<const std::string> known);

}  // namespace quern
