#include "server/front.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "server/audit_entry.h"

namespace quern::server {

namespace {
constexpr std::string_view kHealth = "/health";  // asked every few seconds, by nobody in particular
}  // namespace

Result<std::unique_ptr<Front>> Front::open(FrontOptions options) {
  std::unique_ptr<AuditLog> audit;
  if (!options.audit.file.empty()) {
    QUERN_TRY(audit, AuditLog::open(std::move(options.audit)));
  }
  std::unique_ptr<Front> front(new Front(std::move(options)));
  front->audit_ = std::move(audit);
  if (front->audit_) front->metrics_.measure(*front->audit_);
  return front;
}

Front::Front(FrontOptions options) : pages_(std::move(options.pages)) {
  if (options.auth) auth_.emplace(*std::move(options.auth));
  if (options.cache_bytes > 0) metrics_.measure(cache_.emplace(options.cache_bytes));
}

ModelTable::Meter Front::meter() {
  if (!auth_) return {};
  return [this](const Caller& caller, int64_t tokens) {
    auth_->spend(caller, tokens);
    metrics_.add_tokens(caller, tokens);
  };
}

void Front::record(const RequestRecord& record) {
  metrics_.add_request(record);
  if (audit_ && record.path != kHealth) audit_->write(audit_entry(record));
}

HttpServer::Handler Front::before(const Router& router) {
  HttpServer::Handler handler = [&router](HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
    router.handle(std::move(request), reply);
  };
  if (cache_) handler = with_response_cache(*cache_, std::move(handler));
  if (auth_) handler = auth_->guard(std::move(handler));
  handler = with_record(
      router, audit_ != nullptr, [this](const RequestRecord& one) { record(one); }, std::move(handler));
  return with_cors(pages_, std::move(handler));
}

}  // namespace quern::server
