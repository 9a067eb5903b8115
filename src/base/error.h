// Errors as values: a code (one exit code, one HTTP status), what happened, and a hint for the user.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace quern {

enum class ErrorCode {
  invalid_argument,  // the caller asked for something impossible: bad flag, config, shape
  not_found,         // a file, model or key does not exist
  corrupt,           // bytes that violate their format
  unsupported,       // valid, but this build or version cannot do it
  out_of_memory,
  cancelled,    // the user or the client stopped it
  deadline,     // a time or work budget ran out
  unavailable,  // a resource is busy or gone; trying again may help
  permission,
  conflict,  // the state on disk belongs to something else
  io,        // the operating system failed a read or write
  diverged,  // training produced NaN or an exploding loss
  internal,  // a defect of Quern
};

std::string_view name_of(ErrorCode code);
// Exit status of a command that ends with this error (2..15; 0 is success, 1 is reserved for failed checks).
int exit_code_of(ErrorCode code);
int http_status_of(ErrorCode code);

// `message` says what, where, expected and got in one sentence; `hint` says what to try and may be empty.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  std::string hint;

  // The same error with "context: " put before its message, as it passes a layer that knows more.
  Error within(std::string_view context) &&;
  // "message" or "message\n  hint: ..." for people.
  std::string to_string() const;
};

inline Error make_error(ErrorCode code, std::string message, std::string hint = {}) {
  return Error{code, std::move(message), std::move(hint)};
}

}  // namespace quern
