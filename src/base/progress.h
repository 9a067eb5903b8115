// Progress of long work, shown to people: a live bar on a terminal, a plain line now and then in a log file,
// or nothing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace quern {

// Work takes a Progress& and never asks where it goes. One task at a time: begin, update..., end. Not
// thread-safe: one thread reports.
class Progress {
 public:
  struct Metric {
    std::string_view name;
    double value;
  };

  virtual ~Progress() = default;
  // `total` units of work, 0 when unknown; `unit` in the plural ("steps", "documents", "MB"). A resumed task
  // says how much was done before.
  virtual void begin(std::string_view task, int64_t total, std::string_view unit,
                     int64_t already_done = 0) = 0;
  // Work done so far, counted from 0, and what to show beside it. Cheap: call it as often as there is news.
  virtual void update(int64_t done, std::initializer_list<Metric> metrics = {}) = 0;
  // The task is over; leaves one line with the totals and `note`.
  virtual void end(std::string_view note = {}) = 0;
};

// On stderr: a bar with rate, time left and metrics on a terminal; otherwise a line at growing intervals (2 s
// to 30 s).
std::unique_ptr<Progress> make_terminal_progress();
// Shows nothing.
Progress& null_progress();

// begin() now, end() when leaving the scope, also by an error.
class ProgressScope {
 public:
  ProgressScope(Progress& progress, std::string_view task, int64_t total, std::string_view unit,
                int64_t already_done = 0)
      : progress_(progress) {
    progress_.begin(task, total, unit, already_done);
  }
  ~ProgressScope() { progress_.end(note_); }
  ProgressScope(const ProgressScope&) = delete;
  ProgressScope& operator=(const ProgressScope&) = delete;

  void update(int64_t done, std::initializer_list<Progress::Metric> metrics = {}) {
    progress_.update(done, metrics);
  }
  void note(std::string note) { note_ = std::move(note); }

 private:
  Progress& progress_;
  std::string note_;
};

}  // namespace quern
