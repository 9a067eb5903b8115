#include "server/audit_entry.h"

#include <fmt/format.h>

#include <cmath>

#include "base/json.h"

namespace quern::server {

using Json = nlohmann::ordered_json;

namespace {

constexpr size_t kLargestBody = size_t{1} << 20;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json document_of(const std::string& body) {
  if (body.empty()) return nullptr;
  if (body.size() <= kLargestBody) {
    if (Result<Json> document = parse_ordered_json(body, "request"); document.ok())
      return *std::move(document);
  }
  return fmt::format("[{} bytes]", body.size());
}

}  // namespace

Json audit_entry(const RequestRecord& record) {
  const NotedRequest& noted = record.noted;
  return {{"id", record.id},
          {"caller", text_or_null(noted.caller)},
          {"remote", record.remote},
          {"method", record.method},
          {"path", record.path},
          {"model", text_or_null(noted.model)},
          {"status", record.status},
          {"prompt_tokens", noted.prompt_tokens},
          {"generated_tokens", noted.generated_tokens},
          {"seconds", std::round(record.seconds * 1e6) / 1e6},
          {"request", document_of(record.body)},
          {"answers", noted.answers}};
}

}  // namespace quern::server
