#include "text/jinja/loop.h"

#include <fmt/format.h>

#include "text/jinja/builtin.h"
#include "text/jinja/compare.h"
#include "text/jinja/failure.h"
#include "text/jinja/function.h"
#include "text/jinja/interpreter.h"

namespace quern::text::jinja {

std::string Loop::repr(Heap& heap) const {
  return fmt::format("<LoopContext {}/{}>", index_ + 1, items_->items.size());
}

std::optional<Value> Loop::attribute(Heap& heap, std::string_view name) {
  const auto index = static_cast<int64_t>(index_);
  const int64_t count = *length();
  const auto neighbour = [&](int64_t place, std::string_view missing) {
    return place >= 0 && place < count ? items_->items[static_cast<size_t>(place)]
                                       : make_undefined(heap, std::string(missing));
  };
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(count - index);
  if (name == "revindex0") return Value(count - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == count);
  if (name == "length") return Value(count);
  if (name == "depth") return Value(depth_ + 1);
  if (name == "depth0") return Value(depth_);
  if (name == "previtem") return neighbour(index - 1, "there is no previous item");
  if (name == "nextitem") return neighbour(index + 1, "there is no next item");
  const auto self = shared_from_this();
  if (name == "cycle") {
    return Value(make_object<Function>(
        heap, "cycle", [self](Interpreter&, const Arguments& given) { return self->cycle(given); }));
  }
  if (name == "changed") {
    return Value(
        make_object<Function>(heap, "changed", [self](Interpreter& interpreter, const Arguments& given) {
          return self->changed(interpreter, given);
        }));
  }
  return std::nullopt;
}

Value Loop::cycle(const Arguments& arguments) const {
  if (arguments.positional.empty()) fail("no items for cycling given");
  return arguments.positional[index_ % arguments.positional.size()];
}

Value Loop::changed(Interpreter& interpreter, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  Value now = make_tuple(heap, arguments.positional);
  if (last_changed_ && equal(heap, *last_changed_, now)) return false;
  if (!last_changed_) interpreter.keep(shared_from_this());
  last_changed_ = std::move(now);
  return true;
}

Value Loop::call(Interpreter& interpreter, const Arguments& arguments) {
  const Bound bound("loop", arguments, {"iterable"}, 1);
  if (!outside_) fail("the loop must have the 'recursive' marker to be called recursively");
  return interpreter.call_loop(node_, outside_, bound[0], depth_ + 1);
}

}  // namespace quern::text::jinja
