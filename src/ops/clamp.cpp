#include "ops/clamp.h"

#include <type_traits>

#include "base/threads.h"
#include "ops/op_support.h"

namespace quern::ops {

namespace {

// Calls visit(T, i, element i of x as a wide number), in parallel.
template <class Visit>
void for_each(const Tensor& x, const Visit& visit) {
  visit_float(x.dtype(), [&]<class T>() {
    using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const T* from = x.data<T>();
    parallel_for(x.numel(), kCopyGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) visit(T(), i, static_cast<Wide>(from[i]));
    });
  });
}

}  // namespace

Tensor clamp(const Tensor& x, double low, double high) {
  expect_float("clamp", "input", x);
  expect(low <= high, "clamp", "limits low <= high, got {} and {}", low, high);
  Tensor y(x.shape(), x.dtype());
  for_each(x, [&]<class T, class Wide>(T, int64_t i, Wide value) {
    const auto lowest = static_cast<Wide>(low), highest = static_cast<Wide>(high);
    y.data<T>()[i] = static_cast<T>(value < lowest ? lowest : value > highest ? highest : value);
  });
  if (!autograd::recording({&x})) return y;
  // Saved for backward: x.
  autograd::record(y, "clamp", {x}, [=, x = x.detached()](const Tensor& dy, BackwardContext& inputs) {
    Tensor dx(x.shape(), x.dtype());
    for_each(x, [&]<class T, class Wide>(T, int64_t i, Wide value) {
      const bool inside = static_cast<Wide>(low) <= value && value <= static_cast<Wide>(high);
      dx.data<T>()[i] = inside ? dy.data<T>()[i] : T();
    });
    inputs.give(0, dx);
  });
  return y;
}

}  // namespace quern::ops
