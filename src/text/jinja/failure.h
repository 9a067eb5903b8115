// How code below the interpreter gives up: an exception that Template turns into an Error at its two public
// functions. Template code is a deep recursion whose every step can fail, which Result would drown.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"

namespace quern::text::jinja {

// A place in the source of a template, as an offset in bytes.
using Position = uint32_t;

struct Failure {
  ErrorCode code;
  std::string message;
  std::optional<Position> at;  // set by the innermost node that knows where it stands
};

[[noreturn]] inline void fail(std::string message, ErrorCode code = ErrorCode::invalid_argument) {
  throw Failure{code, std::move(message), std::nullopt};
}
[[noreturn]] inline void fail_at(Position at, std::string message, ErrorCode code = ErrorCode::corrupt) {
  throw Failure{code, std::move(message), at};
}

}  // namespace quern::text::jinja
