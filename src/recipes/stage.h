// Stage: one step of a recipe. A kind is one file in recipes/stages/ and one line in stages/all.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/progress.h"
#include "base/result.h"
#include "recipes/run_folder.h"

namespace quern::recipes {

struct StageContext {
  std::filesystem::path out;  // exists; all results go here
  bool resume = false;  // an earlier attempt with the same settings was cut off: `out` holds what it left
  Progress* progress = &null_progress();
  std::function<bool()> should_stop;

  // Of stages that train.
  TrainHow training() const { return {.resume = resume, .should_stop = should_stop, .progress = progress}; }
};

class Stage {
 public:
  virtual ~Stage() = default;
  // The settings, for YAML and --set. Called once; the Stage stays where it is.
  virtual void fields(Fields& f) = 0;
  // Completes the settings once they are loaded through `loaded`.
  virtual Result<void> finish(const Fields& loaded) {
    (void)loaded;
    return {};
  }
  // Files and folders read, whose content belongs to the stage's identity; results of other stages may be
  // among them.
  virtual std::vector<std::string> inputs() const = 0;
  // Does the work; returns the figures for the stage table.
  virtual Result<nlohmann::ordered_json> run(const StageContext& context) = 0;
};

struct StageKind {
  std::string_view name;
  std::string_view summary;
  int version;  // raised when the same settings and inputs give other results
  std::unique_ptr<Stage> (*make)();
};

std::span<const StageKind> stage_kinds();
// invalid_argument names the kinds there are.
Result<const StageKind*> find_stage_kind(std::string_view name);

}  // namespace quern::recipes
