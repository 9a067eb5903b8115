// The variable `loop` inside a for.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/scope.h"

namespace quern::text::jinja {

// `outside` is the scope around a recursive loop, which calls itself with other items; null for other loops.
class Loop : public Object, public std::enable_shared_from_this<Loop> {
 public:
  Loop(const For& node, ScopePtr outside, std::shared_ptr<const List> items, int depth)
      : node_(node), outside_(std::move(outside)), items_(std::move(items)), depth_(depth) {}

  // Precondition: 0 <= index < items.
  void go_to(size_t index) { index_ = index; }

  std::string_view type_name() const override { return "LoopContext"; }
  std::string repr(Heap& heap) const override;
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  bool callable() const override { return true; }
  Value call(Interpreter& interpreter, const Arguments& arguments) override;
  std::optional<int64_t> length() const override { return static_cast<int64_t>(items_->items.size()); }
  void clear() override { last_changed_.reset(), outside_.reset(); }

  // loop.cycle(...) and loop.changed(...)
  Value cycle(const Arguments& arguments) const;
  Value changed(Interpreter& interpreter, const Arguments& arguments);

 private:
  const For& node_;
  ScopePtr outside_;
  std::shared_ptr<const List> items_;
  int depth_;
  size_t index_ = 0;
  std::optional<Value> last_changed_;
};

}  // namespace quern::text::jinja
