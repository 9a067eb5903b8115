#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/exception.h"

namespace quern::server {

namespace {

constexpr double kFirstToken[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                                  1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
constexpr double kInterToken[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
                                  0.4,   0.5,    0.75,  1,    2.5,   5,    7.5,   10,  20,   40,  80};
constexpr double kRequestTime[] = {0.01, 0.03, 0.1, 0.3, 0.5, 0.8, 1,   1.5, 2,   2.5, 5,    10,
                                   15,   20,   30,  40,  50,  60,  120, 240, 480, 960, 1920, 7680};
constexpr double kTokenCount[] = {1,   2,   5,   10,  20,  50,  100, 200, 500, 1e3,
                                  2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6};
constexpr double kBatchSize[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

bool is_name(std::string_view name, bool colons) {
  const auto valid = [&](char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':') ||
           (!first && c >= '0' && c <= '9');
  };
  for (size_t i = 0; i < name.size(); ++i) {
    if (!valid(name[i], i == 0)) return false;
  }
  return !name.empty();
}

// Backslash and line feed escaped, and quotes where the text stands between them.
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) out.push_back('\\');
    if (c == '\n') {
      out.append("\\n");
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string labels_text(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!is_name(name, false) || name.starts_with("__") || name == "le") {
      throw InternalError(fmt::format("{} is no name for a label", name));
    }
    fmt::format_to(std::back_inserter(out), "{}{}=\"{}\"", out.empty() ? "" : ",", name,
                   escaped(value, true));
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, std::string_view labels, double value) {
  fmt::format_to(std::back_inserter(out), "{}{}{}{} {}\n", name, labels.empty() ? "" : "{", labels,
                 labels.empty() ? "" : "}", number(value));
}

}  // namespace

std::span<const double> first_token_buckets() { return kFirstToken; }
std::span<const double> inter_token_buckets() { return kInterToken; }
std::span<const double> request_time_buckets() { return kRequestTime; }
std::span<const double> token_count_buckets() { return kTokenCount; }
std::span<const double> batch_size_buckets() { return kBatchSize; }

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()),
      counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds.size() + 1)) {}

void Histogram::observe(double value) {
  if (std::isnan(value)) return;
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<uint64_t> Histogram::counts() const {
  std::vector<uint64_t> counts(bounds_.size() + 1);
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = counts_[i].load(std::memory_order_relaxed);
  return counts;
}

Metrics::Metric& Metrics::find(Kind kind, std::string_view name, std::string_view help,
                               const MetricLabels& labels) {
  if (!is_name(name, true)) throw InternalError(fmt::format("{} is no name for a metric", name));
  auto at = families_.find(name);
  if (at == families_.end()) at = families_.emplace(name, Family{kind, std::string(help), {}}).first;
  if (at->second.kind != kind || at->second.help != help) {
    throw InternalError(
        fmt::format("the metric {} is there already, of another kind or with another help", name));
  }
  return at->second.metrics[labels_text(labels)];
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  Metric& metric = find(Kind::counter, name, help, labels);
  if (!metric.counter) metric.counter = std::make_unique<Counter>();
  return *metric.counter;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  Metric& metric = find(Kind::gauge, name, help, labels);
  if (!metric.gauge) metric.gauge = std::make_unique<Gauge>();
  return *metric.gauge;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                              const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  Metric& metric = find(Kind::histogram, name, help, labels);
  if (!metric.histogram) metric.histogram = std::make_unique<Histogram>(bounds);
  return *metric.histogram;
}

void Metrics::sampled_counter(std::string_view name, std::string_view help, std::function<double()> read,
                              const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  find(Kind::counter, name, help, labels).read = std::move(read);
}

void Metrics::sampled_gauge(std::string_view name, std::string_view help, std::function<double()> read,
                            const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  find(Kind::gauge, name, help, labels).read = std::move(read);
}

std::string_view Metrics::content_type() { return "text/plain; version=0.0.4; charset=utf-8"; }

void Metrics::append(std::string& out, const std::string& name, const std::string& labels,
                     const Metric& metric) {
  if (metric.read) return append_sample(out, name, labels, metric.read());
  if (metric.counter) return append_sample(out, name, labels, metric.counter->value());
  if (metric.gauge) return append_sample(out, name, labels, metric.gauge->value());
  const Histogram& histogram = *metric.histogram;
  const std::vector<uint64_t> counts = histogram.counts();
  const std::string before = labels.empty() ? "" : labels + ",";
  uint64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    const std::string bound = i < histogram.bounds().size() ? number(histogram.bounds()[i]) : "+Inf";
    append_sample(out, name + "_bucket", fmt::format("{}le=\"{}\"", before, bound),
                  static_cast<double>(total));
  }
  append_sample(out, name + "_sum", labels, histogram.sum());
  append_sample(out, name + "_count", labels, static_cast<double>(total));
}

std::string Metrics::text() const {
  constexpr std::string_view kKinds[] = {"counter", "gauge", "histogram"};
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, escaped(family.help, false),
                   name, kKinds[static_cast<size_t>(family.kind)]);
    for (const auto& [labels, metric] : family.metrics) append(out, name, labels, metric);
  }
  return out;
}

}  // namespace quern::server
