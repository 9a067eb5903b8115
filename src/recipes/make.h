// Runs a recipe. A stage is named by what it was made from: its kind, its settings, and the content of its
// inputs. A finished stage with the same name is skipped; one that was cut off goes on.
//
//   OUT/.stages/<stage>-<key>/   results, and stage.json once finished: settings, lineage, times, figures
//   OUT/<stage>                  link to the one in force
//   OUT/report.html              the report (recipes/report.h)
//
// Other settings make another folder: nothing that was trained is ever overwritten, and going back is free.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "recipes/recipe.h"

namespace quern::recipes {

struct FinishedStage {
  std::string name;
  std::string kind;
  std::string key;
  std::filesystem::path folder;
  double seconds = 0.0;  // over all attempts, when it was made
  bool reused = false;
  nlohmann::ordered_json record;  // stage.json
};

struct MakeHow {
  Progress* progress = &null_progress();
  std::function<bool()> should_stop;
  // Called before each stage; `reused` when there is nothing to do.
  std::function<void(const StageSpec&, bool reused)> announce;
};

// All stages in order. The first error ends it; what is finished stays. `unavailable` while another process makes a
// recipe in OUT.
Result<std::vector<FinishedStage>> make(const Recipe& recipe, const MakeHow& how);

}  // namespace quern::recipes
