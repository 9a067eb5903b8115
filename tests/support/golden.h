// Files that other programs made, for tests that compare with them; tools/goldens says how.
#pragma once

#include <filesystem>

#include "support/source_dir.h"

namespace quern::test {

inline const std::filesystem::path kGolden = std::filesystem::path(QUERN_SOURCE_DIR) / "tests" / "golden";

}  // namespace quern::test
