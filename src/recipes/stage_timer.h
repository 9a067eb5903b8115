// The time a stage takes over all its attempts, also those that were killed.
#pragma once

#include <filesystem>

#include "base/clock.h"
#include "base/result.h"

namespace quern::recipes {

// While an attempt runs, FOLDER/attempt.json says when it began and how long earlier ones took. One that never finished
// counts up to the last file that it wrote.
class StageTimer {
 public:
  // An attempt begins. Precondition: the folder exists.
  static Result<StageTimer> start(const std::filesystem::path& folder);
  // Of all attempts, this one included.
  double seconds() const { return earlier_ + clock_.seconds(); }
  // The stage is done: forgets the attempts.
  void finish() const;

 private:
  StageTimer(std::filesystem::path file, double earlier) : file_(std::move(file)), earlier_(earlier) {}
  std::filesystem::path file_;
  double earlier_;
  Stopwatch clock_;
};

}  // namespace quern::recipes
