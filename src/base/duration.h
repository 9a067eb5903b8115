// Lengths of time as people write them.
#pragma once

#include <string_view>

#include "base/result.h"

namespace quern {

// "90", "90s", "1.5h", "1h30m", "250ms", "-1": in seconds; of days (d), hours, minutes, seconds and milliseconds.
Result<double> parse_duration(std::string_view text);

}  // namespace quern
