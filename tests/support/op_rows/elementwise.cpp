// Rows of the ops of one input that have few cases.
#include <cstring>

#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/clamp.h"
#include "ops/dropout.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/scale.h"
#include "ops/softcap.h"
#include "ops/softmax.h"
#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {
OpCase unary(const char* name, const Shape& shape, std::function<Tensor(const Tensor&)> op) {
  return {.name = name,
          .inputs = [shape](Rng& rng, DType dtype) { return std::vector{random(rng, shape, dtype)}; },
          .run = [op = std::move(op)](std::span<const Tensor> in) { return op(in[0]); }};
}
}  // namespace

namespace {
// Random blocks with a scale of 1/64. The output is added to an input that has a gradient: blocks have none.
OpCase decoding(const char* name, const Shape& shape, DType blocks) {
  const auto inputs = [shape, blocks](Rng& rng, DType dtype) {
    const Tensor x(shape, blocks);
    std::byte* bytes = static_cast<std::byte*>(x.raw());
    for (int64_t i = 0; i < x.bytes(); ++i) bytes[i] = static_cast<std::byte>(rng.below(256));
    const float16 scale(0.015625f);
    for (int64_t at = 0; at < x.bytes(); at += block_bytes(blocks))
      std::memcpy(bytes + at, &scale, sizeof scale);
    return std::vector{random(rng, shape, dtype), x};
  };
  const auto run = [](std::span<const Tensor> in) { return add(in[0], cast(in[1], in[0].dtype())); };
  return {.name = name, .inputs = inputs, .run = run};
}
}  // namespace

OpRow cast_row() {
  // Scaled afterwards: a cast to the dtype at hand is the tensor itself.
  const auto to_wide = [](const Tensor& x) { return scale(cast(x, wide_of(x.dtype())), 2.0); };
  return {.name = "cast",
          .cases = {unary("to wide", {3, 37}, to_wide), decoding("from Q8_0", {3, 96}, DType::q8_0),
                    decoding("from IQ2_S", {2, 512}, DType::iq2_s)},
          .benches = {{unary("to wide 2048x768", {2048, 768}, to_wide), 0, 0},
                      {decoding("from Q8_0 2048x768", {2048, 768}, DType::q8_0), 0, 0}}};
}

OpRow clamp_row() {
  const auto middle = [](const Tensor& x) { return clamp(x, -0.75, 0.5); };
  return {
      .name = "clamp",
      .cases = {unary("the middle", {3, 37}, middle), unary("more than one thread takes", {260, 150}, middle),
                unary("nothing reached", {7}, [](const Tensor& x) { return clamp(x, -100.0, 100.0); })},
      .benches = {{unary("2048x768", {2048, 768}, middle), 0, 0}}};
}

OpRow dropout_row() {
  const auto drop = [](const Tensor& x) { return dropout(x, 0.3, 7, 11); };
  return {
      .name = "dropout",
      .cases = {unary("a third", {3, 37}, drop), unary("one element", {1}, drop),
                unary("nearly all", {129}, [](const Tensor& x) { return dropout(x, 0.95, 1, 1ull << 40); })},
      .benches = {{unary("2048x768", {2048, 768}, drop), 0, 0}}};
}

OpRow reduce_row() {
  return {.name = "reduce",
          .cases = {unary("sum", {5, 77}, sum), unary("mean", {5, 77}, mean), unary("sum of one", {1}, sum)},
          .benches = {{unary("sum 2048x768", {2048, 768}, sum), 0, 0}}};
}

OpRow reshape_row() {
  return {.name = "reshape",
          .cases = {unary("merge", {2, 3, 5},
                          [](const Tensor& x) {
                            return reshape(x, {6, 5});
                          }),
                    unary("to a scalar", {1, 1}, [](const Tensor& x) { return reshape(x, {}); })},
          .benches = {}};
}

OpRow scale_row() {
  const auto half = [](const Tensor& x) { return scale(x, -0.5); };
  return {.name = "scale",
          .cases = {unary("by a half", {3, 37}, half),
                    unary("by zero", {4}, [](const Tensor& x) { return scale(x, 0); })},
          .benches = {{unary("2048x768", {2048, 768}, half), 0, 0}}};
}

OpRow softcap_row() {
  const auto cap = [](const Tensor& x) { return softcap(x, 1.5); };
  return {.name = "softcap", .cases = {unary("cap 1.5", {3, 37}, cap)}, .benches = {}};
}

OpRow softmax_row() {
  return {.name = "softmax",
          .cases = {unary("odd columns", {3, 37}, softmax), unary("one column", {4, 1}, softmax),
                    unary("many columns", {2, 1000}, softmax)},
          .benches = {{unary("256x50257", {256, 50257}, softmax), 0, 0}}};
}

}  // namespace quern::ops::rows
