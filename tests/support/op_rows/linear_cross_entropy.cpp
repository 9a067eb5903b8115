#include "ops/linear_cross_entropy.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

struct Extents {
  int64_t rows, channels, vocab;
};

enum class Rows { weighted, plain, weighted_bias };

// Targets start at -`ignored`, so that about ignored/(vocab + ignored) of the rows do not count.
OpCase loss_case(const char* name, const Extents& e, int32_t ignored, Rows rows,
                 const CrossEntropyOptions& options = {}) {
  return {.name = name,
          .inputs =
              [=](Rng& rng, DType dtype) {
                std::vector inputs{random(rng, {e.rows, e.channels}, dtype),
                                   random(rng, {e.vocab, e.channels}, dtype, 0.5),
                                   random_ints(rng, {e.rows}, -ignored, static_cast<int32_t>(e.vocab))};
                if (rows != Rows::plain) inputs.push_back(random(rng, {e.rows}, wide_of(dtype), 0.01));
                if (rows == Rows::weighted_bias) inputs.push_back(random(rng, {e.vocab}, wide_of(dtype)));
                return inputs;
              },
          .run =
              [options](std::span<const Tensor> in) {
                CrossEntropyOptions with_weights = options;
                if (in.size() > 3) with_weights.weights = in[3];
                if (in.size() > 4) with_weights.bias = in[4];
                return linear_cross_entropy(in[0], in[1], in[2], with_weights);
              },
          .frozen = {3}};
}

}  // namespace

OpRow linear_cross_entropy_row() {
  const double flops = 2.0 * 256 * 768 * 50257;
  return {.name = "linear_cross_entropy",
          .cases = {loss_case("one row", {1, 3, 5}, 0, Rows::plain),
                    loss_case("weights", {7, 5, 11}, 0, Rows::weighted),
                    loss_case("ignored targets", {12, 9, 4}, 4, Rows::weighted),
                    loss_case("chunks", {11, 6, 13}, 2, Rows::weighted, {.chunk_rows = 4}),
                    loss_case("bias", {11, 6, 13}, 2, Rows::weighted_bias, {.chunk_rows = 4}),
                    loss_case("softcap", {5, 6, 9}, 1, Rows::weighted, {.softcap = 1.5}),
                    loss_case("one class", {3, 4, 1}, 0, Rows::plain),
                    loss_case("odd vocabulary", {9, 17, 333}, 0, Rows::plain)},
          .benches = {{loss_case("256 rows, GPT-2", {256, 768, 50257}, 0, Rows::plain), flops, 2 * flops}}};
}

}  // namespace quern::ops::rows
