// A batch: many requests in a file, answered when there is room (OpenAI's Batch API).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "server/caller.h"

namespace quern::server {

enum class BatchStatus {
  validating,
  failed,
  in_progress,
  finalizing,
  completed,
  expired,
  cancelling,
  cancelled
};
std::string_view name_of(BatchStatus status);

struct Batch {
  std::string id;
  std::optional<Caller> caller = {};  // who asked; nobody where callers have no names
  std::string endpoint = {};          // "/v1/chat/completions"
  std::string input_file = {}, output_file = {}, error_file = {};  // ids
  nlohmann::ordered_json metadata = nullptr;
  nlohmann::ordered_json errors = nlohmann::ordered_json::array();  // {"code", "message", "param", "line"}
  int64_t total = 0, completed = 0, failed = 0;                     // lines
  BatchStatus status = BatchStatus::validating;
  std::map<std::string, int64_t> times =
      {};  // "completed_at": seconds since 1970, of each state that it was in

  // Now.
  void enter(BatchStatus next);
  // Nothing changes any more.
  bool over() const;
  std::string owner() const { return caller ? caller->name : std::string(); }

  // As the API shows it.
  nlohmann::ordered_json to_json() const;
  // The same with what is not shown, to be read again by batch_from_record().
  nlohmann::ordered_json record() const;
};

// Errors of json_get, for what is no record.
Result<Batch> batch_from_record(const nlohmann::ordered_json& record, const std::string& source);

}  // namespace quern::server
