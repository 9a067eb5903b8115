#include "server/api_error.h"

#include <nlohmann/json.hpp>

namespace quern::server {

namespace {

std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

nlohmann::json null_if_empty(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(text);
}

}  // namespace

ApiError api_error(int status, std::string message, std::string code) {
  ApiError error{status, std::move(message), std::string(type_of(status)), {}, std::move(code)};
  if (status == 429 || status == 503) error.retry_after = 1;
  return error;
}

ApiError api_error_of(const Error& error, std::string param) {
  std::string message = error.message;
  if (!error.hint.empty()) message.append("; ").append(error.hint);
  ApiError answer =
      api_error(http_status_of(error.code), std::move(message), std::string(name_of(error.code)));
  answer.param = std::move(param);
  return answer;
}

nlohmann::json to_json(const ApiError& error) {
  return {{"error",
           {{"message", error.message},
            {"type", error.type},
            {"param", null_if_empty(error.param)},
            {"code", null_if_empty(error.code)}}}};
}

HttpResponse to_response(const ApiError& error) {
  HttpResponse response;
  response.status = error.status;
  // Messages quote what clients sent, which need not be UTF-8.
  response.body = to_json(error).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (error.retry_after) response.headers["Retry-After"] = std::to_string(*error.retry_after);
  return response;
}

}  // namespace quern::server
