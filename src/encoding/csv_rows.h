// Rows of comma- or tab-separated values (RFC 4180) as JSON objects: the first row names the fields, and all values are texts.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/result.h"

namespace quern::encoding {

// Calls `take` with each row and the line where it begins, counted from 1. `separator`: ',' or '\t', of which the latter's
// files have no quotes. corrupt, naming the line, for a quote that does not end, text after one, and rows of another number of
// values than the first. Blank lines are passed over.
Result<void> read_csv(
    const std::filesystem::path& path, char separator,
    const std::function<Result<void>(const nlohmann::ordered_json& row, int64_t line)>& take);

}  // namespace quern::encoding
