// Archives from outside (zip, wheel, tar with any compression): the files of a model taken out, and nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::store {

struct UnpackLimits {
  uint64_t bytes = uint64_t{1} << 40;  // unpacked, all files together
  uint64_t entries = 100000;
};

// Limits that weights keep and decompression bombs do not, from the size of the archive.
UnpackLimits limits_for(uint64_t archive_bytes);

// True when the name ends like an archive that unpack() opens.
bool is_archive(std::string_view file_name);

// The entries for which `wanted` answers true, as files below `folder`, which must be new. A .zip inside is
// unpacked too, one level deep, into a folder named like it. Never writes outside of `folder` and never makes
// links; corrupt when a name would lead outside, a file comes twice, or a limit is exceeded, whether `wanted` or
// not. Returns the paths relative to `folder`.
Result<std::vector<std::string>> unpack(const std::filesystem::path& archive,
                                        const std::filesystem::path& folder,
                                        const std::function<bool(std::string_view)>& wanted,
                                        const UnpackLimits& limits);

}  // namespace quern::store
