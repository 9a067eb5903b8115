// Reports: one HTML file with its data, script, style and charts, which needs nothing else.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/result.h"

namespace quern::report {

// Writes the page that `script` draws (of report/scripts.h; it finds `data` parsed and the helpers of common.js).
// Nothing in `data` is taken for markup; bytes that are no UTF-8 become U+FFFD. Adds "version", "commit", "written" and
// "machine" to it.
Result<void> write_page(const std::filesystem::path& path, std::string_view script,
                        nlohmann::ordered_json data);

}  // namespace quern::report
