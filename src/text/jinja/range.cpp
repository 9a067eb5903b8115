#include "text/jinja/range.h"

#include <fmt/format.h>

#include "text/jinja/failure.h"

namespace quern::text::jinja {

namespace {

constexpr uint64_t kLongestRange = 100'000;

}  // namespace

std::shared_ptr<Range> make_range(Heap& heap, int64_t start, int64_t stop, int64_t step) {
  if (step == 0) fail("range() arg 3 must not be zero");
  const auto distance = [](int64_t from, int64_t to) {
    return from < to ? static_cast<uint64_t>(to) - static_cast<uint64_t>(from) : 0;
  };
  const uint64_t span = step > 0 ? distance(start, stop) : distance(stop, start);
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  const uint64_t count = span == 0 ? 0 : (span - 1) / stride + 1;
  if (count > kLongestRange) fail(fmt::format("range of more than {} integers", kLongestRange));
  return make_object<Range>(heap, start, step, static_cast<int64_t>(count));
}

std::string Range::repr(Heap& heap) const {
  const int64_t stop = at(count_);
  return step_ == 1 ? fmt::format("range({}, {})", start_, stop)
                    : fmt::format("range({}, {}, {})", start_, stop, step_);
}

std::optional<Value> Range::attribute(Heap& heap, std::string_view name) {
  if (name == "start") return Value(start_);
  if (name == "stop") return Value(at(count_));
  if (name == "step") return Value(step_);
  return std::nullopt;
}

Values Range::items(Heap& heap) {
  heap.spend(static_cast<uint64_t>(count_));
  Values result;
  for (int64_t i = 0; i < count_; ++i) result.emplace_back(at(i));
  return result;
}

std::optional<Value> Range::item(int64_t index) const {
  if (index < 0 || index >= count_) return std::nullopt;
  return Value(at(index));
}

}  // namespace quern::text::jinja
