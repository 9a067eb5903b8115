// Names and their values, in scopes inside each other.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace quern::text::jinja {

struct Scope {
  Scope(Heap& heap, std::shared_ptr<Scope> outer) : parent(std::move(outer)), charge(&heap, sizeof(Scope)) {}

  // The value here or in a scope around; null when there is none.
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);

  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string_view, Value>> names;  // names live in the template or its variables
  Charge charge;
};

using ScopePtr = std::shared_ptr<Scope>;

}  // namespace quern::text::jinja
