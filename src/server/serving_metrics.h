// What a server measures of itself, for Prometheus: models and their engines, requests, callers, the process.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "engine/request.h"
#include "server/audit_log.h"
#include "server/caller.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/request_record.h"
#include "server/response_cache.h"
#include "server/served_model.h"

namespace quern::server {

// Measures the answers of one model. Thread-safe.
class ModelMetrics {
 public:
  using Clock = std::chrono::steady_clock;
  // Of an answer: when its last tokens came.
  using Moment = std::optional<Clock::time_point>;

  // `metrics` must outlive it.
  ModelMetrics(Metrics& metrics, std::string model);

  // Hears of every update of an answer, in order.
  void observe(const engine::Update& update, Moment& last_tokens, Clock::time_point now = Clock::now());
  // An answer that is no text, and came in one piece.
  void observe_whole(double seconds, std::string_view finish);

 private:
  Metrics& metrics_;
  const std::string model_;
  Histogram &first_token_, &inter_token_, &request_, &queue_;
};

// Thread-safe. Must outlive the models that it measures, and their engines.
class ServingMetrics {
 public:
  ServingMetrics();

  // Measures the engine of `model` and, from now on, its answers.
  void measure(ServedModel& model);
  // Its connections. `server` must live as long as anybody asks for the text.
  void measure(const HttpServer& server);
  // `cache` as well, and `audit`.
  void measure(const ResponseCache& cache);
  void measure(const AuditLog& audit);
  void add_tokens(const Caller& caller, int64_t tokens);
  void add_request(const RequestRecord& record);

  std::string text() const { return metrics_.text(); }

 private:
  Metrics metrics_;
};

// GET /metrics. What it tells concerns all callers: where keys are set, it is for administrators.
void add_metrics_route(Router& router, const ServingMetrics& metrics);

}  // namespace quern::server
