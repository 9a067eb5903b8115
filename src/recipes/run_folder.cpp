#include "recipes/run_folder.h"

#include <fmt/format.h>

#include <system_error>

#include "base/clock.h"
#include "base/file.h"
#include "base/version.h"

namespace quern::recipes {

namespace fs = std::filesystem;

Result<void> refuse_to_overwrite(const fs::path& out, const TrainHow& how) {
  const fs::path checkpoints = out / "checkpoints";
  std::error_code status;
  const bool has_run = fs::exists(checkpoints, status) && !fs::is_empty(checkpoints, status);
  if (!has_run || how.resume || how.overwrite) return {};
  return make_error(ErrorCode::conflict, fmt::format("{} already holds a run", out.string()),
                    "--resume goes on with it, --overwrite starts afresh, --set out=FOLDER keeps both");
}

Result<void> write_run_record(const fs::path& out, const nlohmann::ordered_json& config,
                              const nlohmann::ordered_json& lineage, const nlohmann::ordered_json& result) {
  const nlohmann::ordered_json record = {{"quern", {{"version", version()}, {"commit", commit()}}},
                                         {"finished", iso_time()},
                                         {"config", config},
                                         {"lineage", lineage},
                                         {"result", result}};
  return write_file_atomic(out / "run.json",
                           record.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace quern::recipes
