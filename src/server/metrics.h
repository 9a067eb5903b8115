// Counters, gauges and histograms, and their text for Prometheus (exposition format 0.0.4).
//
//   Metrics metrics;
//   Counter& requests = metrics.counter("quern_requests_total", "Requests answered.", {{"status", "200"}});
//   requests.add();
//   metrics.text();
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::server {

// Sorted by name, so that one set of labels has one spelling.
using MetricLabels = std::map<std::string, std::string>;

// All three are thread-safe and never wait.
class Counter {
 public:
  // Precondition: amount >= 0.
  void add(double amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

class Histogram {
 public:
  // `bounds`: upper bounds of the buckets, inclusive, rising; a last one without bound is added.
  explicit Histogram(std::span<const double> bounds);
  // NaN is not counted.
  void observe(double value);
  const std::vector<double>& bounds() const { return bounds_; }
  // By bucket, not summed up.
  std::vector<uint64_t> counts() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_ = 0;
};

// Bounds for what a server measures, in seconds and in tokens.
std::span<const double> first_token_buckets();   // 1 ms .. 2560 s
std::span<const double> inter_token_buckets();   // 1 ms .. 80 s
std::span<const double> request_time_buckets();  // 10 ms .. 7680 s
std::span<const double> token_count_buckets();   // 1 .. 1M, in steps of 1, 2, 5
std::span<const double> batch_size_buckets();    // 1 .. 1024, doubling

// Thread-safe. What it hands out lives as long as it does. Asking for the same name and labels again gives the same
// metric. Throws InternalError for names that Prometheus does not take, and for one name with two kinds or helps.
class Metrics {
 public:
  Counter& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                       const MetricLabels& labels = {});
  // What others keep: `read` is called by whoever asks for the text, and must not call this object.
  void sampled_counter(std::string_view name, std::string_view help, std::function<double()> read,
                       const MetricLabels& labels = {});
  void sampled_gauge(std::string_view name, std::string_view help, std::function<double()> read,
                     const MetricLabels& labels = {});

  // "text/plain; version=0.0.4; charset=utf-8"
  static std::string_view content_type();
  // Families by name, metrics by labels.
  std::string text() const;

 private:
  enum class Kind { counter, gauge, histogram };
  struct Metric {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> read;
  };
  struct Family {
    Kind kind;
    std::string help;
    std::map<std::string, Metric> metrics;  // by their labels as they are written: a="1",b="2"
  };
  // Needs the lock.
  Metric& find(Kind kind, std::string_view name, std::string_view help, const MetricLabels& labels);
  static void append(std::string& out, const std::string& name, const std::string& labels,
                     const Metric& metric);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace quern::server
