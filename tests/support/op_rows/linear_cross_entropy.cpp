#include "ops/linear_cross_entropy.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

struct LossExtents {
  int64_t rows, channels, vocab;
};

// zero_weights: every other row weighs nothing.
enum class Rows { weighted, plain, weighted_bias, zero_weights };

// Targets start at -`ignored`, so that about ignored/(vocab + ignored) of the rows do not count.
OpCase loss_case(const char* name, const LossExtents& e, int32_t ignored, Rows rows,
                 const CrossEntropyOptions& options = {}) {
  return {.name = name,
          .inputs =
              [=](Rng& rng, DType dtype) {
                std::vector inputs{random(rng, {e.rows, e.channels}, dtype),
                                   random(rng, {e.vocab, e.channels}, dtype, 0.5),
                                   random_ints(rng, {e.rows}, -ignored, static_cast<int32_t>(e.vocab))};
                if (rows != Rows::plain) inputs.push_back(random(rng, {e.rows}, wide_of(dtype), 0.01));
                if (rows == Rows::zero_weights) {
                  for (int64_t i = 0; i < e.rows; i += 2) inputs[3].sliced(i, i + 1).zero();
                }
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

// linear_row_losses: h, w, targets and, if there is one, the bias.
OpCase row_losses_case(const char* name, const LossExtents& e, int32_t ignored, bool bias,
                       const CrossEntropyOptions& options = {}) {
  OpCase c = loss_case(name, e, ignored, Rows::plain);
  if (bias) {
    c.inputs = [plain = c.inputs, e](Rng& rng, DType dtype) {
      std::vector<Tensor> inputs = plain(rng, dtype);
      inputs.push_back(random(rng, {e.vocab}, wide_of(dtype)));
      return inputs;
    };
  }
  c.run = [options](std::span<const Tensor> in) {
    CrossEntropyOptions with_bias = options;
    if (in.size() > 3) with_bias.bias = in[3];
    return linear_row_losses(in[0], in[1], in[2], with_bias);
  };
  c.frozen = {};
  return c;
}

// The same with the last inputs as rows in place of some of w: of both losses, with a bias.
OpCase replaced_case(const char* name, const LossExtents& e, std::vector<int32_t> ids, bool of_rows,
                     const CrossEntropyOptions& options = {}) {
  OpCase c = loss_case(name, e, 2, Rows::plain);
  c.inputs = [plain = c.inputs, e, ids](Rng& rng, DType dtype) {
    std::vector<Tensor> inputs = plain(rng, dtype);
    inputs.push_back(random(rng, {e.vocab}, wide_of(dtype)));
    inputs.push_back(random(rng, {static_cast<int64_t>(ids.size()), e.channels}, dtype));
    return inputs;
  };
  c.run = [=](std::span<const Tensor> in) {
    CrossEntropyOptions with_rows = options;
    with_rows.bias = in[3];
    with_rows.replaced = {ids, in[4]};
    return of_rows ? linear_row_losses(in[0], in[1], in[2], with_rows)
                   : linear_cross_entropy(in[0], in[1], in[2], with_rows);
  };
  c.frozen = {};
  return c;
}

}  // namespace

OpRow linear_cross_entropy_row() {
  const double flops = 2.0 * 256 * 768 * 50257;
  return {.name = "linear_cross_entropy",
          .cases = {loss_case("one row", {1, 3, 5}, 0, Rows::plain),
                    loss_case("weights", {7, 5, 11}, 0, Rows::weighted),
                    loss_case("weights of 0", {7, 5, 11}, 2, Rows::zero_weights),
                    loss_case("all rows left out", {1, 5, 11}, 0, Rows::zero_weights),
                    loss_case("ignored targets", {12, 9, 4}, 4, Rows::weighted),
                    loss_case("chunks", {11, 6, 13}, 2, Rows::weighted, {.chunk_rows = 4}),
                    loss_case("bias", {11, 6, 13}, 2, Rows::weighted_bias, {.chunk_rows = 4}),
                    loss_case("softcap", {5, 6, 9}, 1, Rows::weighted, {.softcap = 1.5}),
                    loss_case("label smoothing", {7, 6, 9}, 1, Rows::weighted, {.label_smoothing = 0.2}),
                    loss_case("one class", {3, 4, 1}, 0, Rows::plain),
                    loss_case("odd vocabulary", {9, 17, 333}, 0, Rows::plain),
                    replaced_case("replaced rows", {11, 6, 13}, {12, 0, 5}, false, {.chunk_rows = 4}),
                    replaced_case("every row replaced", {5, 6, 2}, {1, 0}, false),
                    replaced_case("losses of rows, replaced rows", {11, 6, 13}, {3}, true,
                                  {.softcap = 1.5, .chunk_rows = 4}),
                    row_losses_case("losses of rows", {12, 9, 4}, 4, false),
                    row_losses_case("losses of rows, bias", {5, 4, 7}, 1, true),
                    row_losses_case("losses of rows, chunks", {11, 6, 13}, 2, false, {.chunk_rows = 4}),
                    row_losses_case("losses of rows, softcap", {5, 6, 9}, 1, false, {.softcap = 1.5})},
          .benches = {{loss_case("256 rows, GPT-2", {256, 768, 50257}, 0, Rows::plain), flops, 2 * flops}}};
}

}  // namespace quern::ops::rows
