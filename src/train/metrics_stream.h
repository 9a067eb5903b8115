// What a run measured, step by step: RUN/metrics.jsonl for programs and the report, RUN/tensorboard for
// TensorBoard.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "train/event_file.h"

namespace quern::train {

using Metrics = std::vector<std::pair<std::string, double>>;

// One JSON object per line: {"kind": "train" | "eval" | "sample" | ..., "step": n, "time": seconds since
// 1970, ...}. Not thread-safe.
class MetricsStream {
 public:
  // Opens RUN's streams. Rows of steps after `resumed_step` (an earlier run that was cut off went further
  // than its last checkpoint) and a half-written last line are dropped; 0 starts afresh.
  static Result<MetricsStream> open(const std::string& run_directory, int64_t resumed_step);

  // Non-finite values are written as null.
  void write(const std::string& kind, int64_t step, const Metrics& metrics);
  void sample(int64_t step, const std::string& prompt, const std::string& text);
  Result<void> flush();

 private:
  MetricsStream(std::string path, EventFile events);

  std::string path_;
  std::ofstream lines_;
  EventFile events_;
};

}  // namespace quern::train
