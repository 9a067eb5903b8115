// Files that a source cut into pieces "NAME.part00", "NAME.part01", ... put together again.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace quern::store {

// True for "NAME.part" with digits behind, and for the list of checksums that goes with it ("SHA256SUMS").
bool is_part_file(std::string_view path);

// Joins all parts that lie anywhere below `folder`, in the order of their numbers, as NAME in `folder` itself,
// and removes them. Where a SHA256SUMS file names NAME, its checksum is compared. corrupt when a number is
// missing or twice, or the checksum differs.
Result<void> join_parts(const std::filesystem::path& folder);

}  // namespace quern::store
