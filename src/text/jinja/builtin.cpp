#include "text/jinja/builtin.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/failure.h"

namespace quern::text::jinja {

const Builtin* find_builtin(Builtins table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Builtin::name);
  return found == table.end() ? nullptr : &*found;
}

Bound::Bound(std::string_view callee, const Arguments& given,
             std::initializer_list<std::string_view> parameters, size_t required)
    : callee_(callee), parameters_(parameters), values_(parameters.size()) {
  if (given.positional.size() > parameters_.size()) {
    fail(fmt::format("{}() takes at most {} arguments, got {}", callee_, parameters_.size(),
                     given.positional.size()));
  }
  std::ranges::copy(given.positional, values_.begin());
  for (const auto& [name, value] : given.named) {
    const auto place = std::ranges::find(parameters_, name) - parameters_.begin();
    if (place == std::ssize(parameters_)) fail(fmt::format("{}() has no argument '{}'", callee_, name));
    std::optional<Value>& slot = values_[static_cast<size_t>(place)];
    if (slot) fail(fmt::format("{}() got two values for '{}'", callee_, name));
    slot = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!values_[i]) fail(fmt::format("{}() misses its argument '{}'", callee_, parameters_[i]));
  }
}

void Bound::fail_type(size_t index, std::string_view expected) const {
  require_defined(*values_[index]);
  fail(fmt::format("{}(): expected {} for '{}', got '{}'", callee_, expected, parameters_[index],
                   type_name(*values_[index])));
}

int64_t Bound::integer(size_t index, int64_t otherwise) const {
  if (!has(index)) return otherwise;
  if (!values_[index]->is_integral()) fail_type(index, "an integer");
  return values_[index]->integer();
}

std::string_view Bound::text(size_t index, std::string_view otherwise) const {
  if (!has(index)) return otherwise;
  if (!values_[index]->is_text()) fail_type(index, "a string");
  return values_[index]->text();
}

bool Bound::flag(size_t index, bool otherwise) const {
  return has(index) ? truth(*values_[index]) : otherwise;
}

}  // namespace quern::text::jinja
