// Functions of the language itself: filters, tests and methods, which all work on a subject.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace quern::text::jinja {

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;

  bool empty() const { return positional.empty() && named.empty(); }
};

struct Builtin {
  std::string_view name;
  Value (*function)(Interpreter& interpreter, const Value& subject, const Arguments& arguments);
};
using Builtins = std::span<const Builtin>;
// The entry of this name, or null.
const Builtin* find_builtin(Builtins table, std::string_view name);

// The arguments of one call by the parameters they are for.
class Bound {
 public:
  // Throws Failure that names `callee` when there are too many arguments, unknown names, or fewer than the
  // first `required` parameters.
  Bound(std::string_view callee, const Arguments& given, std::initializer_list<std::string_view> parameters,
        size_t required = 0);

  bool has(size_t index) const { return values_[index].has_value(); }
  // None when it is not given.
  const Value& operator[](size_t index) const { return has(index) ? *values_[index] : none_; }
  // Conversions throw Failure for a value of another type; what is not given is `otherwise`.
  int64_t integer(size_t index, int64_t otherwise = 0) const;
  std::string_view text(size_t index, std::string_view otherwise = {}) const;
  bool flag(size_t index, bool otherwise = false) const;

 private:
  [[noreturn]] void fail_type(size_t index, std::string_view expected) const;

  std::string_view callee_;
  std::vector<std::string_view> parameters_;
  std::vector<std::optional<Value>> values_;
  Value none_;
};

}  // namespace quern::text::jinja
