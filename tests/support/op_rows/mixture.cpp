#include "ops/mixture.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

// Rows choose `chosen` neighbouring parts of `parts`, the last of which none takes.
OpCase mix(const char* name, int64_t rows, int64_t parts, int64_t chosen, int64_t channels) {
  return {.name = name,
          .inputs =
              [=](Rng& rng, DType dtype) {
                Tensor choice({rows, chosen}, DType::i32);
                std::vector<int64_t> counts(static_cast<size_t>(parts), 0);
                for (int64_t r = 0; r < rows; ++r) {
                  for (int64_t i = 0; i < chosen; ++i) {
                    const int64_t part = r * 3 % (parts - chosen) + i;
                    choice.data<int32_t>()[r * chosen + i] = static_cast<int32_t>(part);
                    ++counts[static_cast<size_t>(part)];
                  }
                }
                std::vector inputs{choice, random(rng, {rows, parts}, accumulated_in(dtype))};
                for (const int64_t count : counts) {
                  if (count > 0) inputs.push_back(random(rng, {count, channels}, accumulated_in(dtype)));
                }
                return inputs;
              },
          .run =
              [=](std::span<const Tensor> in) {
                std::vector<bool> taken(static_cast<size_t>(parts), false);
                for (const int32_t part : in[0].span<int32_t>()) taken[static_cast<size_t>(part)] = true;
                std::vector<Tensor> given(static_cast<size_t>(parts));
                size_t next = 2;
                for (size_t p = 0; p < taken.size(); ++p) {
                  if (taken[p]) given[p] = in[next++];
                }
                return mixture(given, in[0], in[1]);
              }};
}

}  // namespace

OpRow mixture_row() {
  return {.name = "mixture",
          .cases = {mix("one of two", 1, 2, 1, 5), mix("two of seven", 9, 7, 2, 33)},
          .benches = {{mix("512 rows, 2 of 8", 512, 8, 2, 1024), 0, 0}}};
}

}  // namespace quern::ops::rows
