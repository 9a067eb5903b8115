// Which Quern this is; stamped into what it writes.
#pragma once

#include <string_view>

namespace quern {

std::string_view version();  // "0.1.0"
std::string_view commit();  // "1a2b3c4d5e6f", with "-dirty" for uncommitted changes, or "unknown" outside git
std::string_view compiler();  // "gcc 12.2.0"

}  // namespace quern
