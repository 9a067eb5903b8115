#include "nn/block.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace quern::nn {
namespace {

constexpr int64_t kHidden = 8;

BlockSpec spec(BlockLayout layout) {
  BlockSpec result;
  result.layout = layout;
  result.attention = {.hidden = kHidden, .heads = 2, .kv_heads = 1, .head_dim = 4, .init_std = 0.4};
  result.mlp = {.hidden = kHidden, .intermediate = 12, .init_std = 0.4};
  return result;
}

Tensor random_states() {
  Tensor x({1, 5, kHidden}, DType::f32);
  Rng rng(1, 1);
  for (float& value : x.span<float>()) value = static_cast<float>(rng.normal());
  return x;
}

void set(Module& module, const std::string& suffix, double value) {
  module.visit([&](const std::string& name, Parameter& p) {
    if (name.ends_with(suffix)) p.master().fill(value);
  });
}

TEST(Block, HasTheNormsOfItsLayout) {
  for (const auto& [layout, norms] : {std::pair{BlockLayout::pre_norm, 2},
                                      {BlockLayout::post_norm, 2},
                                      {BlockLayout::parallel, 1},
                                      {BlockLayout::branch_norm, 2},
                                      {BlockLayout::sandwich, 4}}) {
    int count = 0;
    visit(Block(spec(layout), nullptr),
          [&](const std::string& name, const Parameter&) { count += name.ends_with("norm.weight"); });
    EXPECT_EQ(count, norms);
  }
}

// With both branches silent a block is its residual path: the identity, or norms of it.
TEST(Block, SilentBranchesLeaveTheResidualPath) {
  const Tensor x = random_states();
  for (const BlockLayout layout : {BlockLayout::pre_norm, BlockLayout::parallel, BlockLayout::post_norm,
                                   BlockLayout::branch_norm, BlockLayout::sandwich}) {
    Block block(spec(layout), nullptr);
    initialise(block, 1);
    set(block, "attention.o.weight", 0.0);
    set(block, "mlp.down.weight", 0.0);
    const Tensor y = block.forward(x, ForwardContext::causal(1, 5));
    Tensor wanted = x;
    if (layout == BlockLayout::post_norm) {
      const Tensor unit = Tensor::full({kHidden}, 1.0);
      wanted = ops::norm(ops::NormKind::layer, x, unit, {}, 1e-5);
      wanted = ops::norm(ops::NormKind::layer, wanted, unit, {}, 1e-5);
    }
    for (int64_t i = 0; i < x.numel(); ++i) EXPECT_NEAR(y.data<float>()[i], wanted.data<float>()[i], 1e-6);
  }
}

// The MLP of a parallel block reads the input of the block, that of a pre-norm block what attention made of
// it.
TEST(Block, AParallelMlpDoesNotSeeAttention) {
  const Tensor x = random_states();
  const auto mlp_part = [&](BlockLayout layout, double attention_bias) {
    Block block(spec(layout), nullptr);
    initialise(block, 1);
    set(block, "attention.o.weight", 0.0);
    // Channel 0 only: a constant over channels would vanish in the norm.
    block.visit([&](const std::string& name, Parameter& p) {
      if (name == "attention.o.bias") p.master().data<float>()[0] = static_cast<float>(attention_bias);
    });
    const Tensor y = block.forward(x, ForwardContext::causal(1, 5));
    return y.data<float>()[1] - x.data<float>()[1];  // channel 1 gets nothing from attention
  };
  EXPECT_FLOAT_EQ(mlp_part(BlockLayout::parallel, 0.0), mlp_part(BlockLayout::parallel, 2.0));
  EXPECT_NE(mlp_part(BlockLayout::pre_norm, 0.0), mlp_part(BlockLayout::pre_norm, 2.0));
}

}  // namespace
}  // namespace quern::nn
