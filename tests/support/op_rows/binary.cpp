#include "ops/binary.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

using Op = Tensor (*)(const Tensor&, const Tensor&);

OpCase pair(const char* name, Op op, const Shape& a, const Shape& b) {
  return {.name = name,
          .inputs =
              [a, b](Rng& rng, DType dtype) {
                return std::vector{random(rng, a, dtype), random(rng, b, dtype)};
              },
          .run = [op](std::span<const Tensor> in) { return op(in[0], in[1]); }};
}

OpCase with_itself(const char* name, Op op) {
  return {.name = name,
          .inputs =
              [](Rng& rng, DType dtype) {
                return std::vector{random(rng, {3, 5}, dtype)};
              },
          .run = [op](std::span<const Tensor> in) { return op(in[0], in[0]); }};
}

}  // namespace

OpRow binary_row() {
  return {.name = "binary",
          .cases = {pair("add", add, {3, 37}, {3, 37}), pair("sub", sub, {2, 3, 5}, {2, 3, 5}),
                    pair("mul", mul, {3, 37}, {3, 37}), pair("add a row", add, {2, 3, 19}, {19}),
                    pair("sub a row", sub, {6, 5}, {5}), pair("mul by a row", mul, {2, 3, 19}, {19}),
                    pair("mul by a matrix", mul, {4, 3, 5}, {3, 5}), pair("add a scalar", add, {7}, {}),
                    pair("mul by a scalar", mul, {3, 7}, {}), with_itself("add to itself", add),
                    with_itself("square", mul)},
          .benches = {{pair("add 2048x768", add, {2048, 768}, {2048, 768}), 0, 0},
                      {pair("mul by a row 2048x768", mul, {2048, 768}, {768}), 0, 0}}};
}

}  // namespace quern::ops::rows
