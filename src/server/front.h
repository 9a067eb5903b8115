// What every request passes on its way to the routes: which pages may ask, counting and noting down, who asks, answers
// given again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "server/audit_log.h"
#include "server/auth.h"
#include "server/cors.h"
#include "server/model_table.h"
#include "server/response_cache.h"
#include "server/serving_metrics.h"

namespace quern::server {

struct FrontOptions {
  std::optional<AuthOptions> auth = {};  // nothing: anybody may ask
  AuditLogOptions audit = {};            // without a file: nothing is noted down
  uint64_t cache_bytes = 0;              // of answers to be given again
  CorsOptions pages = {};
};

// Thread-safe once it is made. Outlives models and routes: the last answers of engines that end are counted still.
class Front {
 public:
  // Errors of AuditLog::open.
  static Result<std::unique_ptr<Front>> open(FrontOptions options);

  ServingMetrics& metrics() { return metrics_; }
  // Counts what callers use; empty where nobody is known.
  ModelTable::Meter meter();
  // Models do not answer as they did: no answer is given again.
  void forget_answers() {
    if (cache_) cache_->forget();
  }
  // `router` must outlive the handler.
  HttpServer::Handler before(const Router& router);

 private:
  explicit Front(FrontOptions options);
  void record(const RequestRecord& record);

  const CorsOptions pages_;
  std::unique_ptr<AuditLog> audit_;  // null: nothing is noted down
  std::optional<Auth> auth_;
  std::optional<ResponseCache> cache_;
  ServingMetrics metrics_;
};

}  // namespace quern::server
