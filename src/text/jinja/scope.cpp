#include "text/jinja/scope.h"

namespace quern::text::jinja {

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
    for (const auto& [candidate, value] : scope->names) {
      if (candidate == name) return &value;
    }
  }
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  for (auto& [candidate, old] : names) {
    if (candidate == name) {
      old = std::move(value);
      return;
    }
  }
  charge.grow(sizeof(names[0]));
  names.emplace_back(name, std::move(value));
}

}  // namespace quern::text::jinja
