// Measured runs for a scaling-law fit: from JSONL, or from the folders that `quern train` leaves.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/scaling_law.h"

namespace quern::plan {

struct NamedRun {
  std::string name;  // the folder, or "file:line"
  MeasuredRun run;
};

// `path` is a JSONL file with rows {"parameters": n, "tokens": n, "loss": nats}, a run's folder (run.json and
// model/config.json; its last validation loss, or the training loss where nothing was held out), or a folder
// that holds such folders. Errors: not_found, corrupt with the line, invalid_argument for a run that did not
// finish: the loss of a run cut off before its learning rate decayed fits no law.
Result<std::vector<NamedRun>> read_runs(const std::filesystem::path& path);

}  // namespace quern::plan
