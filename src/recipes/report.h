// The report of a recipe: one HTML file with its plots, samples, answers and stage table, which needs nothing
// else.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "recipes/make.h"
#include "recipes/recipe.h"

namespace quern::recipes {

// Writes OUT/report.html from the records of finished stages and the metrics beside them; returns its path.
Result<std::filesystem::path> write_report(const Recipe& recipe, const std::vector<FinishedStage>& stages);

}  // namespace quern::recipes
