// Attributes, items and slices of values.
#pragma once

#include "text/jinja/value.h"

namespace quern::text::jinja {

// owner.name: a method or attribute, else the item. Undefined when there is neither; Failure when the owner is
// undefined.
Value get_attribute(Heap& heap, const Value& owner, std::string_view name);
// owner[key]: the item, else the attribute.
Value get_item(Heap& heap, const Value& owner, const Value& key);
// owner[start:stop:step], with None for what is left out.
Value get_slice(Heap& heap, const Value& owner, const Value& start, const Value& stop, const Value& step);

// The places a slice of `length` items visits: start, start + step, ... `count` times.
struct SlicePlaces {
  int64_t start, step, count;
};
SlicePlaces slice_places(int64_t length, const Value& start, const Value& stop, const Value& step);

// What filters take as an attribute: "a.0.b" or 3.
class AttributePath {
 public:
  // None is the item itself.
  AttributePath(Heap& heap, const Value& path);
  // With `otherwise` in place of what is undefined on the way.
  Value of(Heap& heap, const Value& item, const Value* otherwise = nullptr) const;

 private:
  Values parts_;
};

}  // namespace quern::text::jinja
