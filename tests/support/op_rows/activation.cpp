#include "ops/activation.h"

#include "support/op_rows/op_row.h"

namespace quern::ops::rows {

namespace {

OpCase plain(const char* name, Activation kind, const Shape& shape) {
  return {
      .name = name,
      .inputs = [shape](Rng& rng, DType dtype) { return std::vector{random_off_zero(rng, shape, dtype)}; },
      .run = [kind](std::span<const Tensor> in) { return activation(kind, in[0]); }};
}

OpCase pair(const char* name, Activation kind, const Shape& shape) {
  return {.name = name,
          .inputs =
              [shape](Rng& rng, DType dtype) {
                return std::vector{random_off_zero(rng, shape, dtype), random(rng, shape, dtype)};
              },
          .run = [kind](std::span<const Tensor> in) { return gated(kind, in[0], in[1]); }};
}

}  // namespace

OpRow activation_row() {
  return {
      .name = "activation",
      .cases = {plain("identity", Activation::identity, {3}),
                plain("gelu_erf", Activation::gelu_erf, {2, 37}),
                plain("gelu_tanh", Activation::gelu_tanh, {2, 37}), plain("silu", Activation::silu, {5, 33}),
                plain("relu", Activation::relu, {70}), plain("sigmoid", Activation::sigmoid, {70}),
                plain("tanh", Activation::tanh, {70}), plain("relu_squared", Activation::relu_squared, {70}),
                plain("one element", Activation::silu, {1}), pair("gated silu", Activation::silu, {3, 37}),
                pair("gated gelu_erf", Activation::gelu_erf, {3, 37}),
                pair("gated gelu_tanh", Activation::gelu_tanh, {129}),
                pair("gated relu", Activation::relu, {1}), pair("gated sigmoid", Activation::sigmoid, {17})},
      .benches = {{plain("gelu_tanh 256x3072", Activation::gelu_tanh, {256, 3072}), 0, 0},
                  {plain("gelu_erf 256x3072", Activation::gelu_erf, {256, 3072}), 0, 0},
                  {pair("gated silu 256x3072", Activation::silu, {256, 3072}), 0, 0}}};
}

}  // namespace quern::ops::rows
