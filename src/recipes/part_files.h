// What a run that can be interrupted leaves beside its results: a state with its settings, so that it goes on only with the
// same ones.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/result.h"

namespace quern::recipes {

struct PartFiles {
  std::filesystem::path done;               // the results, which appear when the run is over
  std::filesystem::path state;              // JSON with "settings", of a run that is not
  std::vector<std::filesystem::path> rest;  // more of such a run

  // The state of the run to go on with; nothing: it starts, and nothing of another is left. conflict where there are results, or
  // part of them that `resume` does not say to go on with or that have other settings.
  Result<std::optional<nlohmann::ordered_json>> open(const nlohmann::ordered_json& settings, bool resume,
                                                     bool overwrite) const;
  // Takes the state of a run away that brought nothing, so that the next one simply starts.
  void forget() const;
};

}  // namespace quern::recipes
