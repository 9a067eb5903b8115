// Result<T>: a value or an Error, for failures that are expected (files, formats, network, user text,
// configs). Programmer errors throw (base/exception.h).
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/exception.h"

namespace quern {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // The value; on an error throws it as an Exception, which command and request boundaries catch.
  T& value() & { return require(), std::get<0>(state_); }
  const T& value() const& { return require(), std::get<0>(state_); }
  T&& value() && { return require(), std::get<0>(std::move(state_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }

  // Precondition: !ok().
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  void require() const {
    if (!ok()) throw Exception(std::get<1>(state_));
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const {
    if (error_) throw Exception(*error_);
  }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace quern

#define QUERN_CONCAT_INNER(a, b) a##b
#define QUERN_CONCAT(a, b) QUERN_CONCAT_INNER(a, b)

// The two control macros of the project: leave the function with the error, or go on with the value.
//   QUERN_TRY(auto file, MappedFile::open(path));      QUERN_CHECK(write_atomic(path, bytes));
#define QUERN_TRY(declaration, ...)                                                                     \
  auto QUERN_CONCAT(result_, __LINE__) = (__VA_ARGS__);                                                 \
  if (!QUERN_CONCAT(result_, __LINE__).ok()) return std::move(QUERN_CONCAT(result_, __LINE__)).error(); \
  declaration = std::move(QUERN_CONCAT(result_, __LINE__)).value()

#define QUERN_CHECK(...) \
  if (auto check_result = (__VA_ARGS__); !check_result.ok()) return std::move(check_result).error()
