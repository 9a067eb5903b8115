// range(): integers that are never stored.
#pragma once

#include "text/jinja/value.h"

namespace quern::text::jinja {

class Range : public Object {
 public:
  // `count` integers from `start` on.
  Range(int64_t start, int64_t step, int64_t count) : start_(start), step_(step), count_(count) {}

  // Wraps past 64 bits, which only places outside of the range can.
  int64_t at(int64_t index) const {
    return static_cast<int64_t>(static_cast<uint64_t>(start_) +
                                static_cast<uint64_t>(index) * static_cast<uint64_t>(step_));
  }
  int64_t step() const { return step_; }

  std::string_view type_name() const override { return "range"; }
  std::string repr(Heap& heap) const override;
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  bool iterable() const override { return true; }
  Values items(Heap& heap) override;
  std::optional<int64_t> length() const override { return count_; }
  std::optional<Value> item(int64_t index) const override;

 private:
  int64_t start_, step_, count_;
};

// range(stop), range(start, stop) or range(start, stop, step), of at most 100,000 integers as in the sandbox
// of Jinja.
std::shared_ptr<Range> make_range(Heap& heap, int64_t start, int64_t stop, int64_t step);

}  // namespace quern::text::jinja
