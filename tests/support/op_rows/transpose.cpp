#include "ops/transpose.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

OpCase transposed(const char* name, const Shape& shape) {
  return {.name = name,
          .inputs = [=](Rng& rng, DType dtype) { return std::vector{random(rng, shape, dtype)}; },
          .run = [](std::span<const Tensor> in) { return transpose(in[0]); }};
}

}  // namespace

OpRow transpose_row() {
  return {.name = "transpose",
          .cases = {transposed("a matrix", {3, 7}), transposed("matrices", {2, 2, 5, 3}),
                    transposed("a row", {1, 33}), transposed("more than one thread takes", {260, 150})},
          .benches = {{transposed("512 x 512 x 12", {1, 512 * 512, 12}), 0, 0}}};
}

}  // namespace quern::ops::rows
