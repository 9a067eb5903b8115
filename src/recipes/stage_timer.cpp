#include "recipes/stage_timer.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

// On the clock of files: only differences matter.
double seconds_of(fs::file_time_type time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

double last_write_in(const fs::path& folder, double at_least) {
  std::error_code status;
  for (auto entry = fs::recursive_directory_iterator(folder, status);
       !status && entry != fs::recursive_directory_iterator(); entry.increment(status)) {
    std::error_code gone;
    const fs::file_time_type time = entry->last_write_time(gone);
    if (!gone) at_least = std::max(at_least, seconds_of(time));
  }
  return at_least;
}

}  // namespace

Result<StageTimer> StageTimer::start(const fs::path& folder) {
  const fs::path file = folder / "attempt.json";
  double earlier = 0.0;
  if (const Result<std::string> text = read_file(file); text.ok()) {
    const auto note = nlohmann::json::parse(*text, nullptr, false);
    const auto is_number = [&](const char* name) {
      return note.is_object() && note.contains(name) && note[name].is_number();
    };
    if (is_number("began") && is_number("earlier")) {
      const double began = note["began"];
      earlier = note["earlier"].get<double>() + last_write_in(folder, began) - began;
    }
  }
  const nlohmann::json note = {{"began", seconds_of(fs::file_time_type::clock::now())}, {"earlier", earlier}};
  QUERN_CHECK(write_file_atomic(file, note.dump() + "\n"));
  return StageTimer(file, earlier);
}

void StageTimer::finish() const {
  std::error_code ignored;
  fs::remove(file_, ignored);
}

}  // namespace quern::recipes
