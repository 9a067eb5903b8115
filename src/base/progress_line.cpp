#include "base/progress_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"

namespace quern {

namespace {

constexpr double kRateWindow = 1.0;     // seconds per measurement of the rate
constexpr double kRateSmoothing = 0.7;  // weight of what was known before
constexpr int kBarWidth = 20;

// 1234 as it is, millions as "12.3M".
std::string count_text(int64_t count) {
  return std::abs(count) < 100000 ? fmt::format("{}", count) : human_count(static_cast<double>(count));
}

std::string metric_text(double value) {
  const double size = std::abs(value);
  if (value == std::floor(value) && size < 1e6) return fmt::format("{:.0f}", value);
  return size >= 1e-2 && size < 1e4 ? fmt::format("{:.4g}", value) : fmt::format("{:.2e}", value);
}

}  // namespace

ProgressLine::ProgressLine(std::string_view task, int64_t total, std::string_view unit, int64_t already_done,
                           double now)
    : task_(task),
      unit_(unit),
      total_(total),
      start_done_(already_done),
      done_(already_done),
      start_time_(now),
      mark_time_(now),
      mark_done_(already_done) {}

void ProgressLine::update(int64_t done, std::initializer_list<Progress::Metric> metrics, double now) {
  done_ = done;
  if (metrics.size() > 0) {
    metrics_.clear();
    for (const Progress::Metric& metric : metrics) metrics_.emplace_back(metric.name, metric.value);
  }
  const double elapsed = now - mark_time_;
  if (elapsed < kRateWindow && rate_ > 0) return;
  if (elapsed <= 0 || done <= mark_done_) return;
  const double measured = static_cast<double>(done - mark_done_) / elapsed;
  const bool first_window = mark_time_ == start_time_;
  rate_ = first_window ? measured : kRateSmoothing * rate_ + (1 - kRateSmoothing) * measured;
  if (elapsed < kRateWindow) return;  // an early guess, to be refined within the same window
  mark_time_ = now;
  mark_done_ = done;
}

std::string ProgressLine::counts() const {
  if (total_ <= 0) return fmt::format("{} {}", count_text(done_), unit_);
  const double fraction = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
  return fmt::format("{:3.0f}% {}/{} {}", std::floor(100 * fraction), count_text(done_), count_text(total_),
                     unit_);
}

std::string ProgressLine::rate_and_eta() const {
  if (rate_ <= 0) return {};
  std::string text = fmt::format("  {} {}/s", human_count(rate_), unit_);
  if (total_ > done_) text += "  eta " + human_duration(static_cast<double>(total_ - done_) / rate_);
  return text;
}

std::string ProgressLine::metrics_text() const {
  std::string text;
  for (const auto& [name, value] : metrics_) text += fmt::format("  {} {}", name, metric_text(value));
  return text;
}

std::string ProgressLine::plain() const {
  return fmt::format("{}: {}{}{}", task_, counts(), rate_and_eta(), metrics_text());
}

std::string ProgressLine::bar(int width) const {
  std::string line = task_ + " ";
  if (total_ > 0) {
    const int filled = static_cast<int>(std::clamp<int64_t>(done_, 0, total_) * kBarWidth / total_);
    line += "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '-') + "] ";
  }
  line += counts() + rate_and_eta() + metrics_text();
  if (line.size() > static_cast<size_t>(width)) line.resize(static_cast<size_t>(width));
  return line;
}

std::string ProgressLine::summary(std::string_view note, double now) const {
  const double elapsed = now - start_time_;
  const int64_t worked = done_ - start_done_;
  std::string text = fmt::format("{}: {} {} in {}", task_, count_text(done_), unit_, human_duration(elapsed));
  if (elapsed > 0 && worked > 0) {
    text += fmt::format(" ({} {}/s)", human_count(static_cast<double>(worked) / elapsed), unit_);
  }
  text += metrics_text();
  if (!note.empty()) text += fmt::format("  {}", note);
  return text;
}

}  // namespace quern
