// Exceptions for programmer errors and for errors that cross many frames; caught at command, request and
// worker boundaries only.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "base/error.h"

namespace quern {

class Exception : public std::runtime_error {
 public:
  explicit Exception(Error error) : std::runtime_error(error.to_string()), error_(std::move(error)) {}
  const Error& error() const { return error_; }

 private:
  Error error_;
};

// An op was called with shapes or dtypes it does not accept: "[op] expected ..., got ...".
class ShapeError : public Exception {
 public:
  explicit ShapeError(std::string message)
      : Exception({ErrorCode::invalid_argument, std::move(message), {}}) {}
};

// A defect of Quern: a broken invariant.
class InternalError : public Exception {
 public:
  explicit InternalError(std::string message)
      : Exception({ErrorCode::internal, std::move(message), "this is a defect of Quern; please report it"}) {}
};

}  // namespace quern
