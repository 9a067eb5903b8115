#include "ops/embedding.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {
OpCase lookup(const char* name, const Shape& ids, int64_t vocab, int64_t channels, bool bf16_table = false) {
  return {.name = name,
          .inputs =
              [=](Rng& rng, DType dtype) {
                const DType table = bf16_table && dtype != DType::f64 ? DType::bf16 : dtype;
                return std::vector{random(rng, {vocab, channels}, table),
                                   random_ints(rng, ids, 0, static_cast<int32_t>(vocab)),
                                   Tensor::zeros({}, dtype)};  // says the output's dtype
              },
          .run = [](std::span<const Tensor> in) { return embedding(in[1], in[0], in[2].dtype()); },
          .frozen = {2}};
}
}  // namespace

OpRow embedding_row() {
  return {.name = "embedding",
          .cases = {lookup("one id", {1}, 3, 5), lookup("scalar id", {}, 3, 5),
                    lookup("repeated ids", {4, 9}, 5, 33), lookup("one row", {7}, 1, 16),
                    lookup("bf16 table", {2, 6}, 11, 17, true)},
          .benches = {{lookup("2048 of 2048x768", {2048}, 2048, 768), 0, 0}}};
}

}  // namespace quern::ops::rows
