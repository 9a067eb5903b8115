// What groupby gives: a pair that also has names for its parts.
#pragma once

#include "text/jinja/value.h"

namespace quern::text::jinja {

class Group : public Object {
 public:
  Group(Value grouper, Value list) : parts_{std::move(grouper), std::move(list)} {}

  std::string_view type_name() const override { return "tuple"; }
  std::string repr(Heap& heap) const override;
  std::optional<Value> attribute(Heap& heap, std::string_view name) override {
    if (name == "grouper") return parts_[0];
    if (name == "list") return parts_[1];
    return std::nullopt;
  }
  bool iterable() const override { return true; }
  Values items(Heap& heap) override { return parts_; }
  std::optional<int64_t> length() const override { return 2; }
  std::optional<Value> item(int64_t index) const override { return parts_[static_cast<size_t>(index)]; }

 private:
  Values parts_;
};

}  // namespace quern::text::jinja
