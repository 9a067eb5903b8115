// Activation checkpointing with real ops: recomputing must not change a bit.
#include <gtest/gtest.h>

#include <cstring>

#include "autograd/graph.h"
#include "ops/activation.h"
#include "ops/binary.h"
#include "ops/dropout.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "support/op_rows/op_row.h"

namespace quern::ops {
namespace {

struct Weights {
  Tensor norm, up, down;
};

Tensor block(const Tensor& x, const Weights& w, uint64_t stream) {
  const Tensor inner =
      activation(Activation::gelu_tanh, linear(norm(NormKind::rms, x, w.norm, {}, 1e-5), w.up));
  return add(x, dropout(linear(inner, w.down), 0.2, 9, stream));
}

class CheckpointTest : public ::testing::TestWithParam<DType> {};

TEST_P(CheckpointTest, GivesTheBitsOfAPlainRun) {
  std::vector<Tensor> plain;
  for (const bool checkpointed : {false, true}) {
    Rng rng(3, 0);
    Tensor x = rows::random(rng, {20, 24}, GetParam());
    Weights w{rows::random(rng, {24}, DType::f32), rows::random(rng, {40, 24}, GetParam(), 0.2),
              rows::random(rng, {24, 40}, GetParam(), 0.2)};
    for (Tensor* leaf : {&x, &w.norm, &w.up, &w.down}) autograd::require_grad(*leaf);
    Tensor y = x;
    for (uint64_t layer = 0; layer < 3; ++layer) {
      const auto body = [w, layer](std::span<const Tensor> in) { return block(in[0], w, layer); };
      y = checkpointed ? autograd::checkpoint(body, {y}) : body(std::vector{y});
    }
    autograd::backward(y);
    const std::vector<Tensor> results{y, autograd::grad(x), autograd::grad(w.norm), autograd::grad(w.up),
                                      autograd::grad(w.down)};
    if (!checkpointed) plain = results;
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(std::memcmp(results[i].raw(), plain[i].raw(), static_cast<size_t>(plain[i].bytes())), 0)
          << "result " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, CheckpointTest, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& dtype) { return std::string(name_of(dtype.param)); });

}  // namespace
}  // namespace quern::ops
