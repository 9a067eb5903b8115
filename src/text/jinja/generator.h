// What map, select and their like give: values that can be iterated over once.
#pragma once

#include "text/jinja/value.h"

namespace quern::text::jinja {

class Generator : public Object {
 public:
  explicit Generator(Values items) : items_(std::move(items)) {}

  std::string_view type_name() const override { return "generator"; }
  bool iterable() const override { return true; }
  Values items(Heap& heap) override {
    heap.spend(items_.size());
    return std::exchange(items_, {});
  }
  void clear() override { items_.clear(); }

 private:
  Values items_;
};

inline Value make_generator(Heap& heap, Values items) {
  Charge charge(&heap, sizeof(Generator) + items.size() * sizeof(Value));
  auto generator = std::make_shared<Generator>(std::move(items));
  generator->charge(std::move(charge));
  return Value(std::move(generator));
}

}  // namespace quern::text::jinja
