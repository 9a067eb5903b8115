#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/exception.h"

namespace quern::server {
namespace {

TEST(Metrics, WritesTheTextThatPrometheusReads) {
  Metrics metrics;
  metrics.counter("quern_requests_total", "Requests.", {{"status", "200"}, {"path", "/a\"b\\c\nd"}}).add();
  metrics.counter("quern_requests_total", "Requests.", {{"status", "404"}, {"path", "/"}}).add(2.5);
  metrics.gauge("quern_blocks", "Blocks\nof \\ \"KV\".").set(7);
  metrics.sampled_gauge("quern_open", "Open.", [] { return -1.5; });
  const double bounds[] = {0.5, 1};
  Histogram& times = metrics.histogram("quern_seconds", "Time.", bounds, {{"model", "m"}});
  for (const double value : {0.1, 0.5, 0.7, 100.0}) times.observe(value);
  EXPECT_EQ(metrics.text(),
            "# HELP quern_blocks Blocks\\nof \\\\ \"KV\".\n"
            "# TYPE quern_blocks gauge\n"
            "quern_blocks 7\n"
            "# HELP quern_open Open.\n"
            "# TYPE quern_open gauge\n"
            "quern_open -1.5\n"
            "# HELP quern_requests_total Requests.\n"
            "# TYPE quern_requests_total counter\n"
            "quern_requests_total{path=\"/\",status=\"404\"} 2.5\n"
            "quern_requests_total{path=\"/a\\\"b\\\\c\\nd\",status=\"200\"} 1\n"
            "# HELP quern_seconds Time.\n"
            "# TYPE quern_seconds histogram\n"
            "quern_seconds_bucket{model=\"m\",le=\"0.5\"} 2\n"
            "quern_seconds_bucket{model=\"m\",le=\"1\"} 3\n"
            "quern_seconds_bucket{model=\"m\",le=\"+Inf\"} 4\n"
            "quern_seconds_sum{model=\"m\"} 101.3\n"
            "quern_seconds_count{model=\"m\"} 4\n");
}

TEST(Metrics, NumbersThatAreNone) {
  Metrics metrics;
  const double bounds[] = {1};
  Histogram& times = metrics.histogram("h", "h", bounds);
  times.observe(std::nan(""));
  times.observe(std::numeric_limits<double>::infinity());
  EXPECT_EQ(times.counts(), (std::vector<uint64_t>{0, 1}));
  metrics.gauge("g", "g").set(std::nan(""));
  EXPECT_THAT(metrics.text(), testing::HasSubstr("g NaN\n"));
  EXPECT_THAT(metrics.text(), testing::HasSubstr("h_sum +Inf\n"));
}

TEST(Metrics, OneNameIsOneMetric) {
  Metrics metrics;
  Counter& counter = metrics.counter("a", "help", {{"x", "1"}});
  EXPECT_EQ(&metrics.counter("a", "help", {{"x", "1"}}), &counter);
  EXPECT_NE(&metrics.counter("a", "help", {{"x", "2"}}), &counter);
  EXPECT_THROW(metrics.gauge("a", "help"), InternalError);
  EXPECT_THROW(metrics.counter("a", "another"), InternalError);
  for (const char* name : {"", "1a", "a-b", "a b", "\xC3\xA4"})
    EXPECT_THROW(metrics.counter(name, ""), InternalError);
  for (const char* label : {"", "le", "__a", "a:b"}) {
    EXPECT_THROW(metrics.counter("b", "", {{label, "1"}}), InternalError) << label;
  }
}

TEST(Metrics, CountsFromManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        metrics.counter("c", "c").add();
        metrics.histogram("h", "h", batch_size_buckets(), {{"t", std::to_string(t)}}).observe(i % 40);
        if (i % 1000 == 0) {
          EXPECT_FALSE(metrics.text().empty());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.counter("c", "c").value(), 20'000);
}

TEST(Metrics, BucketsRise) {
  for (const auto bounds : {first_token_buckets(), inter_token_buckets(), request_time_buckets(),
                            token_count_buckets(), batch_size_buckets()}) {
    for (size_t i = 1; i < bounds.size(); ++i) EXPECT_LT(bounds[i - 1], bounds[i]);
  }
}

}  // namespace
}  // namespace quern::server
