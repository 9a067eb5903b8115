#include "text/jinja/globals.h"

#include <fmt/format.h>

#include <ctime>

#include "text/jinja/failure.h"
#include "text/jinja/function.h"
#include "text/jinja/namespace.h"
#include "text/jinja/range.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

Value range(Interpreter& interpreter, const Arguments& arguments) {
  const Bound bound("range", arguments, {"start", "stop", "step"}, 1);
  const bool only_stop = !bound.has(1);
  const int64_t start = only_stop ? 0 : bound.integer(0);
  const int64_t stop = bound.integer(only_stop ? 0 : 1);
  return Value(make_range(interpreter.heap(), start, stop, bound.integer(2, 1)));
}

// The entries that dict(mapping or pairs, name=value) has.
std::vector<std::pair<Value, Value>> entries_of(Heap& heap, const Arguments& arguments) {
  std::vector<std::pair<Value, Value>> entries;
  if (arguments.positional.size() > 1) fail("dict expected at most 1 argument");
  if (!arguments.positional.empty() && arguments.positional[0].is_dict()) {
    entries = arguments.positional[0].dict().entries;
  } else if (!arguments.positional.empty()) {
    const auto pairs = sequence_of(heap, arguments.positional[0]);
    for (const Value& pair : pairs->items) {
      const auto parts = sequence_of(heap, pair);
      if (parts->items.size() != 2) fail("dict expects pairs of a key and a value");
      entries.emplace_back(parts->items[0], parts->items[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(make_text(heap, name), value);
  return entries;
}

Value dict(Interpreter& interpreter, const Arguments& arguments) {
  return make_dict(&interpreter.heap(), entries_of(interpreter.heap(), arguments));
}

Value make_namespace(Interpreter& interpreter, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  auto space = make_object<Namespace>(heap);
  for (auto& [name, value] : entries_of(heap, arguments)) {
    if (!name.is_text()) fail("the attributes of a namespace have names");
    space->set(heap, name.text(), std::move(value));
  }
  interpreter.keep(space);
  return Value(std::move(space));
}

// cycler("a", "b"): .next(), .current and .reset().
class Cycler : public Object, public std::enable_shared_from_this<Cycler> {
 public:
  explicit Cycler(Values items) : items_(std::move(items)) {}

  std::string_view type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(Heap& heap, std::string_view name) override {
    if (name == "current") return items_[next_];
    if (name != "next" && name != "reset") return std::nullopt;
    const bool advance = name == "next";
    return Value(make_object<Function>(heap, std::string(name),
                                       [self = shared_from_this(), advance](Interpreter&, const Arguments&) {
                                         return self->step(advance);
                                       }));
  }

 private:
  Value step(bool advance) {
    const Value current = advance ? items_[next_] : Value();
    next_ = advance ? (next_ + 1) % items_.size() : 0;
    return current;
  }
  Values items_;
  size_t next_ = 0;
};

Value cycler(Interpreter& interpreter, const Arguments& arguments) {
  if (arguments.positional.empty()) fail("at least one item has to be provided");
  return Value(make_object<Cycler>(interpreter.heap(), arguments.positional));
}

// joiner(", "): nothing when called first, the separator from then on.
Value joiner(Interpreter& interpreter, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  const Bound bound("joiner", arguments, {"sep"});
  const Value separator = bound.has(0) ? bound[0] : make_text(heap, ", ");
  return Value(make_object<Function>(
      heap, "joiner", [separator, used = false](Interpreter& caller, const Arguments&) mutable {
        return std::exchange(used, true) ? separator : make_text(caller.heap(), "");
      }));
}

Value raise_exception(Interpreter& interpreter, const Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  fail(to_string(interpreter.heap(), bound[0]));
}

Value strftime_now(Interpreter& interpreter, const Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  constexpr size_t kLongest = 4096;
  const std::string format(bound.text(0));
  const std::time_t now = interpreter.now();
  std::tm local{};
  localtime_r(&now, &local);
  char buffer[kLongest];
  const size_t length = std::strftime(buffer, kLongest, format.c_str(), &local);
  if (length == 0 && !format.empty()) {
    fail(fmt::format("strftime_now(): no date of at most {} bytes from {}", kLongest, brief_quoted(format)));
  }
  return make_text(interpreter.heap(), std::string_view(buffer, length));
}

}  // namespace

void define_globals(Interpreter& interpreter) {
  constexpr std::pair<const char*, Value (*)(Interpreter&, const Arguments&)> kGlobals[] = {
      {"range", range},
      {"dict", dict},
      {"namespace", make_namespace},
      {"cycler", cycler},
      {"joiner", joiner},
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
  };
  for (const auto& [name, function] : kGlobals) {
    interpreter.define(name, Value(make_object<Function>(interpreter.heap(), name, function)));
  }
}

}  // namespace quern::text::jinja
