#include "ops/replace_rows.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {
OpCase replaced(const char* name, const Shape& x, int64_t table, int32_t lowest, bool wide_table = false) {
  return {.name = name,
          .inputs =
              [=](Rng& rng, DType dtype) {
                return std::vector{
                    random(rng, x, dtype), random_ints(rng, {x.rows()}, lowest, static_cast<int32_t>(table)),
                    random(rng, {table, x[x.rank() - 1]}, wide_table ? accumulated_in(dtype) : dtype)};
              },
          .run = [](std::span<const Tensor> in) { return replace_rows(in[0], in[1], in[2]); }};
}
}  // namespace

OpRow replace_rows_row() {
  return {.name = "replace_rows",
          .cases = {replaced("some of a batch", {3, 9, 5}, 4, -1), replaced("all", {7, 16}, 2, 0),
                    replaced("from a wide table", {2, 11, 33}, 3, -1, true)},
          .benches = {{replaced("20 of 2048x768", {2048, 768}, 20, -1), 0, 0}}};
}

}  // namespace quern::ops::rows
