// What a progress bar says, as text: a pure function of what was reported and when, so that it can be tested.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"

namespace quern {

// Times are seconds on any monotonic clock.
class ProgressLine {
 public:
  ProgressLine(std::string_view task, int64_t total, std::string_view unit, int64_t already_done, double now);

  void update(int64_t done, std::initializer_list<Progress::Metric> metrics, double now);

  // "train [####----]  45% 450/1000 steps  12.3 steps/s  eta 45.0 s  loss 3.214", cut to `width` columns.
  std::string bar(int width) const;
  // The same without the bar, for log files.
  std::string plain() const;
  // "train: 1000 steps in 1m 21s (12.3 steps/s)  loss 3.214".
  std::string summary(std::string_view note, double now) const;

  // Units per second lately; 0 when unknown.
  double rate() const { return rate_; }

 private:
  std::string counts() const;
  std::string metrics_text() const;
  std::string rate_and_eta() const;

  std::string task_;
  std::string unit_;
  int64_t total_;
  int64_t start_done_;
  int64_t done_;
  double start_time_;
  double mark_time_;  // where the current measurement of the rate began
  int64_t mark_done_;
  double rate_ = 0;
  std::vector<std::pair<std::string, double>> metrics_;
};

}  // namespace quern
