#include "server/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 8> kNames{"validating", "failed",  "in_progress", "finalizing",
                                                 "completed",  "expired", "cancelling",  "cancelled"};
constexpr std::array<const char*, 9> kTimes{"created_at",    "expires_at",    "in_progress_at",
                                            "finalizing_at", "completed_at",  "failed_at",
                                            "expired_at",    "cancelling_at", "cancelled_at"};
constexpr const char* kWindow = "24h";

Json null_if_empty(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

// A text, or nothing for null.
Result<std::string> text_or_null(const nlohmann::json& record, const char* key, const std::string& source) {
  if (record.contains(key) && record[key].is_null()) return std::string();
  return json_get<std::string>(record, key, source);
}

Result<std::optional<Caller>> read_caller(const nlohmann::json& record, const std::string& source) {
  if (!record.contains("caller") || record["caller"].is_null()) return std::optional<Caller>();
  Caller caller;
  QUERN_TRY(caller.name, json_get<std::string>(record, "caller.name", source));
  QUERN_TRY(caller.models, json_get<std::vector<std::string>>(record, "caller.models", source));
  QUERN_TRY(caller.priority, json_get<int64_t>(record, "caller.priority", source));
  return std::optional(std::move(caller));
}

}  // namespace

std::string_view name_of(BatchStatus status) { return kNames[static_cast<size_t>(status)]; }

void Batch::enter(BatchStatus next) {
  status = next;
  times[fmt::format("{}_at", name_of(next))] = unix_seconds();
}

bool Batch::over() const {
  return status == BatchStatus::failed || status == BatchStatus::completed ||
         status == BatchStatus::expired || status == BatchStatus::cancelled;
}

Json Batch::to_json() const {
  Json json = {{"id", id},
               {"object", "batch"},
               {"endpoint", endpoint},
               {"errors", errors.empty() ? Json(nullptr) : Json({{"object", "list"}, {"data", errors}})},
               {"input_file_id", input_file},
               {"completion_window", kWindow},
               {"status", name_of(status)},
               {"output_file_id", null_if_empty(output_file)},
               {"error_file_id", null_if_empty(error_file)}};
  for (const char* time : kTimes) {
    const auto found = times.find(time);
    json[time] = found == times.end() ? Json(nullptr) : Json(found->second);
  }
  json["request_counts"] = {{"total", total}, {"completed", completed}, {"failed", failed}};
  json["metadata"] = metadata;
  return json;
}

Json Batch::record() const {
  Json record = to_json();
  record["caller"] = nullptr;
  if (caller) {
    record["caller"] = {{"name", caller->name}, {"models", caller->models}, {"priority", caller->priority}};
  }
  return record;
}

Result<Batch> batch_from_record(const Json& ordered, const std::string& source) {
  const nlohmann::json record = ordered;
  Batch batch;
  QUERN_TRY(batch.id, json_get<std::string>(record, "id", source));
  QUERN_TRY(batch.caller, read_caller(record, source));
  QUERN_TRY(batch.endpoint, json_get<std::string>(record, "endpoint", source));
  QUERN_TRY(batch.input_file, json_get<std::string>(record, "input_file_id", source));
  QUERN_TRY(batch.output_file, text_or_null(record, "output_file_id", source));
  QUERN_TRY(batch.error_file, text_or_null(record, "error_file_id", source));
  QUERN_TRY(batch.total, json_get<int64_t>(record, "request_counts.total", source));
  QUERN_TRY(batch.completed, json_get<int64_t>(record, "request_counts.completed", source));
  QUERN_TRY(batch.failed, json_get<int64_t>(record, "request_counts.failed", source));
  QUERN_TRY(const std::string status, json_get<std::string>(record, "status", source));
  const auto known = std::ranges::find(kNames, status);
  if (known == kNames.end())
    return make_error(ErrorCode::corrupt, fmt::format("{}: unknown status {}", source, json_excerpt(status)));
  batch.status = static_cast<BatchStatus>(known - kNames.begin());
  for (const char* time : kTimes) {
    if (const auto found = record.find(time); found != record.end() && found->is_number_integer())
      batch.times[time] = found->get<int64_t>();
  }
  batch.metadata = ordered.value("metadata", Json());
  if (const auto errors = ordered.find("errors"); errors != ordered.end() && errors->is_object())
    batch.errors = errors->value("data", Json::array());
  return batch;
}

}  // namespace quern::server
