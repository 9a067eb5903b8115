#include "recipes/part_files.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"

namespace quern::recipes {

namespace fs = std::filesystem;

Result<std::optional<nlohmann::ordered_json>> PartFiles::open(const nlohmann::ordered_json& settings,
                                                              bool resume, bool overwrite) const {
  using State = std::optional<nlohmann::ordered_json>;
  std::error_code ignored;
  const bool is_done = fs::exists(done, ignored), begun = fs::exists(state, ignored);
  if (overwrite || (!is_done && !begun)) {
    fs::remove(done, ignored), fs::remove(state, ignored);
    for (const fs::path& path : rest) fs::remove(path, ignored);
    return State();
  }
  if (is_done || !resume) {
    return make_error(ErrorCode::conflict, fmt::format("{} exists", (is_done ? done : state).string()),
                      is_done ? "--overwrite starts afresh" : "--resume goes on, --overwrite starts afresh");
  }
  QUERN_TRY(const std::string text, read_file(state));
  QUERN_TRY(nlohmann::ordered_json found, parse_ordered_json(text, state.string()));
  if (!found.contains("settings") || found["settings"] != settings) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("{} belongs to a run with other settings, or other prompts", state.string()),
        "go back to those, or start afresh with --overwrite");
  }
  return State(std::move(found));
}

void PartFiles::forget() const {
  std::error_code ignored;
  fs::remove(state, ignored);
  for (const fs::path& path : rest) fs::remove(path, ignored);
}

}  // namespace quern::recipes
