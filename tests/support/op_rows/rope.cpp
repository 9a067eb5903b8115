#include "ops/rope.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {
OpCase rope_case(const char* name, const Shape& x, const RopeConfig& config) {
  return {
      .name = name,
      .inputs =
          [=](Rng& rng, DType dtype) {
            return std::vector{random(rng, x, dtype),
                               random_ints(rng, {x[0], x[1]}, 0, static_cast<int32_t>(config.max_positions))};
          },
      .run = [table = RopeTable(config)](std::span<const Tensor> in) { return rope(in[0], in[1], table); }};
}
}  // namespace

OpRow rope_row() {
  return {.name = "rope",
          .cases = {rope_case("half split", {2, 3, 2, 8}, {.rotary = 8, .max_positions = 50}),
                    rope_case("adjacent pairs", {2, 3, 2, 8},
                              {.rotary = 8, .max_positions = 50, .half_split = false}),
                    rope_case("some channels", {1, 5, 3, 11}, {.rotary = 6, .max_positions = 9}),
                    rope_case("some adjacent channels", {1, 5, 1, 7},
                              {.rotary = 2, .max_positions = 9, .half_split = false}),
                    rope_case("wide heads", {1, 4, 2, 70}, {.rotary = 70, .max_positions = 2000}),
                    rope_case("yarn", {1, 4, 2, 16},
                              {.rotary = 16,
                               .max_positions = 256,
                               .scaling = RopeScaling::yarn,
                               .factor = 4.0,
                               .original_positions = 64})},
          .benches = {
              {rope_case("B4 T512 H12 D64", {4, 512, 12, 64}, {.rotary = 64, .max_positions = 512}), 0, 0}}};
}

}  // namespace quern::ops::rows
