#include "text/jinja/namespace.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/failure.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

void Namespace::set(Heap& heap, std::string_view name, Value value) {
  if (name.starts_with('_')) {
    fail(fmt::format("a namespace cannot hold {}: names with a leading underscore are private",
                     quoted_text(name)));
  }
  const auto found =
      std::ranges::find(attributes_, name, [](const auto& entry) { return std::string_view(entry.first); });
  if (found != attributes_.end()) {
    found->second = std::move(value);
    return;
  }
  grow_charge(sizeof(attributes_[0]) + name.size());
  attributes_.emplace_back(name, std::move(value));
}

std::optional<Value> Namespace::attribute(Heap& heap, std::string_view name) {
  const auto found =
      std::ranges::find(attributes_, name, [](const auto& entry) { return std::string_view(entry.first); });
  return found == attributes_.end() ? std::nullopt : std::optional(found->second);
}

std::string Namespace::repr(Heap& heap) const {
  const Heap::Level level(heap);
  TextBuilder out(heap);
  out += "<Namespace {";
  for (size_t i = 0; i < attributes_.size(); ++i) {
    if (i > 0) out += ", ";
    out += quoted_text(attributes_[i].first);
    out += ": ";
    append_repr(out, heap, attributes_[i].second);
  }
  out += "}>";
  return out.text();
}

}  // namespace quern::text::jinja
