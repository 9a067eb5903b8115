// The folder of a training run: who may write to it, and the record of what was run.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/progress.h"
#include "base/result.h"

namespace quern::recipes {

// How a run is started, whatever it trains.
struct TrainHow {
  bool resume = false;     // go on from the newest checkpoint in its folder, or start
  bool overwrite = false;  // start afresh where a run has been
  std::function<bool()> should_stop = {};
  std::function<void(const std::string& text)> say = {};  // to a person who watches; may be empty
  Progress* progress = &null_progress();
};

// conflict when `out` holds a run and `how` says neither to go on nor to start afresh.
Result<void> refuse_to_overwrite(const std::filesystem::path& out, const TrainHow& how);

// OUT/run.json: version, time, settings, lineage and result, so that a result can be traced and repeated.
Result<void> write_run_record(const std::filesystem::path& out, const nlohmann::ordered_json& config,
                              const nlohmann::ordered_json& lineage, const nlohmann::ordered_json& result);

}  // namespace quern::recipes
