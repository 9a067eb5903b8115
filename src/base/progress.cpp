#include "base/progress.h"

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "base/progress_line.h"
#include "base/terminal.h"

namespace quern {

namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kFirstPlainSeconds = 2;
constexpr double kLongestPlainSeconds = 30;

class TerminalProgress final : public Progress {
 public:
  ~TerminalProgress() override { terminal::clear_live_line(); }

  void begin(std::string_view task, int64_t total, std::string_view unit, int64_t already_done) override {
    const double now = clock_.seconds();
    line_.emplace(task, total, unit, already_done, now);
    interval_ = interactive_ ? kRedrawSeconds : kFirstPlainSeconds;
    next_ = interactive_ ? now : now + interval_;
    show(now);
  }

  void update(int64_t done, std::initializer_list<Metric> metrics) override {
    if (!line_) return;
    const double now = clock_.seconds();
    line_->update(done, metrics, now);
    show(now);
  }

  void end(std::string_view note) override {
    if (!line_) return;
    if (interactive_) terminal::clear_live_line();
    terminal::print_line(line_->summary(note, clock_.seconds()));
    line_.reset();
  }

 private:
  void show(double now) {
    if (now < next_) return;
    if (interactive_) {
      terminal::set_live_line(line_->bar(terminal::width() - 1));
    } else {
      terminal::print_line(line_->plain());
      interval_ = std::min(2 * interval_, kLongestPlainSeconds);
    }
    next_ = now + interval_;
  }

  const bool interactive_ = terminal::is_interactive();
  Stopwatch clock_;
  std::optional<ProgressLine> line_;
  double interval_ = kRedrawSeconds;
  double next_ = 0;
};

class NullProgress final : public Progress {
 public:
  void begin(std::string_view, int64_t, std::string_view, int64_t) override {}
  void update(int64_t, std::initializer_list<Metric>) override {}
  void end(std::string_view) override {}
};

}  // namespace

std::unique_ptr<Progress> make_terminal_progress() { return std::make_unique<TerminalProgress>(); }

Progress& null_progress() {
  static NullProgress progress;
  return progress;
}

}  // namespace quern
