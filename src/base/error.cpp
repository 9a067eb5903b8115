#include "base/error.h"

namespace quern {

namespace {
struct CodeRow {
  ErrorCode code;
  std::string_view name;
  int exit_code;
  int http_status;
};

constexpr CodeRow kCodes[] = {
    {ErrorCode::invalid_argument, "invalid_argument", 2, 400},
    {ErrorCode::not_found, "not_found", 3, 404},
    {ErrorCode::corrupt, "corrupt", 4, 422},
    {ErrorCode::unsupported, "unsupported", 5, 501},
    {ErrorCode::out_of_memory, "out_of_memory", 6, 507},
    {ErrorCode::cancelled, "cancelled", 7, 499},
    {ErrorCode::deadline, "deadline", 8, 504},
    {ErrorCode::unavailable, "unavailable", 9, 503},
    {ErrorCode::permission, "permission", 10, 403},
    {ErrorCode::conflict, "conflict", 11, 409},
    {ErrorCode::io, "io", 12, 500},
    {ErrorCode::diverged, "diverged", 13, 500},
    {ErrorCode::internal, "internal", 14, 500},
};

const CodeRow& row_of(ErrorCode code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row;
  }
  return kCodes[std::size(kCodes) - 1];
}
}  // namespace

std::string_view name_of(ErrorCode code) { return row_of(code).name; }
int exit_code_of(ErrorCode code) { return row_of(code).exit_code; }
int http_status_of(ErrorCode code) { return row_of(code).http_status; }

Error Error::within(std::string_view context) && {
  message.insert(0, std::string(context) + ": ");
  return std::move(*this);
}

std::string Error::to_string() const { return hint.empty() ? message : message + "\n  hint: " + hint; }

}  // namespace quern
