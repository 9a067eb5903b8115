// namespace(): the one value whose attributes a template can set, also from inside a loop.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace quern::text::jinja {

class Namespace : public Object {
 public:
  // Throws Failure for a name that begins with an underscore.
  void set(Heap& heap, std::string_view name, Value value);

  std::string_view type_name() const override { return "Namespace"; }
  std::string repr(Heap& heap) const override;
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  void clear() override { attributes_.clear(); }

 private:
  std::vector<std::pair<std::string, Value>> attributes_;
};

}  // namespace quern::text::jinja
