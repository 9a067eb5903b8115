// Errors as clients of the OpenAI API expect them: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "server/http_message.h"

namespace quern::server {

struct ApiError {
  int status = 500;
  std::string message = {};
  std::string type = {};                // "invalid_request_error", ...
  std::string param = {};               // the parameter that is wrong; empty: null
  std::string code = {};                // for programs: "model_not_found"; empty: null
  std::optional<int> retry_after = {};  // seconds
};

// An error of a request as such, its type from the status: 400 invalid_request_error, 401 authentication_error, 429
// rate_limit_error, 5xx server_error. 429 and 503 ask to come again after a second unless told otherwise.
ApiError api_error(int status, std::string message, std::string code = {});

// Of a failure inside: status of http_status_of(), its hint at the end of the message.
ApiError api_error_of(const Error& error, std::string param = {});

// For events of a stream that has begun.
nlohmann::json to_json(const ApiError& error);
HttpResponse to_response(const ApiError& error);

}  // namespace quern::server
