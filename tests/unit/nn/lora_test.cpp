#include "nn/lora.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "autograd/graph.h"
#include "base/rng.h"
#include "nn/linear.h"
#include "nn/moe.h"
#include "ops/cast.h"
#include "ops/linear.h"
#include "ops/reduce.h"
#include "unit/nn/normal_tensor.h"

namespace quern::nn {
namespace {

constexpr int64_t kIn = 12, kOut = 7, kRank = 3;

using test::normal_tensor;

void randomise(LoraAdapter& adapter, DType dtype = DType::f32) {
  uint64_t seed = 40;
  adapter.visit([&](const std::string&, Parameter& p) { p.assign(normal_tensor(p.shape(), ++seed, dtype)); });
}

// A frozen map with a bias, and an adapter of it.
struct Adapted {
  explicit Adapted(bool magnitudes, DType dtype = DType::f32, uint64_t seed = 1)
      : linear(kIn, kOut, true, 0.5) {
    initialise(linear, seed, dtype);
    linear.visit([&](const std::string& name, Parameter& p) {
      if (name == "bias") p.assign(normal_tensor(p.shape(), 9, dtype));
    });
    set_trainable(linear, false);
    const Parameter* const weights[] = {&linear.weight()};
    adapter.add("layer", weights, {.rank = kRank, .scale = 0.7, .magnitudes = magnitudes});
    randomise(adapter, dtype);
  }
  Tensor forward(const Tensor& x) const {
    ForwardContext context = ForwardContext::causal(1, x.shape().rows());
    const AdapterRows all{&adapter};
    context.adapters = std::span(&all, 1);
    return linear.forward(x, context);
  }

  Linear linear;
  LoraAdapter adapter;
};

double distance(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(DType::f64), y = b.to(DType::f64);
  double largest = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i)
    largest = std::max(largest, std::fabs(x.data<double>()[i] - y.data<double>()[i]));
  return largest;
}

TEST(LoraAdapter, DoesWhatTheMergedWeightDoes) {
  for (const bool magnitudes : {false, true}) {
    Adapted both(magnitudes);
    const Tensor x = normal_tensor({2, 5, kIn}, 2);
    const Tensor y = both.forward(x);
    both.adapter.freeze();
    EXPECT_EQ(distance(both.forward(x), y), 0.0);
    Linear merged(kIn, kOut, true, 0.5);
    initialise(merged, 1);
    merged.visit([&](const std::string& name, Parameter& p) {
      p.assign(name == "bias" ? normal_tensor(p.shape(), 9) : both.adapter.merged(both.linear.weight()));
    });
    set_trainable(merged, false);
    EXPECT_LE(distance(y, merged.forward(x, ForwardContext::causal(2, 5))), 1e-5);
    EXPECT_GT(distance(y, both.linear.forward(x, ForwardContext::causal(2, 5))), 0.1);
  }
}

TEST(LoraAdapter, GivesRowsTheLengthsOfItsMagnitudes) {
  Adapted both(true);
  const Tensor merged = both.adapter.merged(both.linear.weight());
  const LoraModule::Part& part = both.adapter.modules().front().parts.front();
  for (int64_t row = 0; row < kOut; ++row) {
    double square = 0.0;
    for (int64_t c = 0; c < kIn; ++c) square += std::pow(merged.data<float>()[row * kIn + c], 2.0);
    EXPECT_NEAR(std::sqrt(square), std::fabs(part.magnitude->master().data<float>()[row]), 1e-5);
  }
}

TEST(LoraAdapter, NewOnesChangeNothing) {
  Adapted both(false);
  initialise(both.adapter, 5);
  const Tensor x = normal_tensor({4, kIn}, 2);
  EXPECT_EQ(distance(both.forward(x), both.linear.forward(x, ForwardContext::causal(1, 4))), 0.0);
}

// Central differences in f64. Lengths stand still in them, as they do in the gradient.
TEST(LoraAdapter, HasTheGradientOfItsFunction) {
  for (const bool magnitudes : {false, true}) {
    Adapted both(magnitudes, DType::f64);
    const Tensor x = normal_tensor({5, kIn}, 2, DType::f64),
                 weights = normal_tensor({5, kOut}, 3, DType::f64);
    const Tensor lengths =
        magnitudes ? row_lengths(both.adapter.modules()[0], both.adapter.modules()[0].parts[0]) : Tensor();
    const auto loss = [&] {
      const autograd::NoGrad no_grad;
      const LoraModule& m = both.adapter.modules()[0];
      Tensor y = ops::linear(x, both.linear.weight().value());
      const Tensor added = ops::linear(ops::linear(x, m.a.value()), m.parts[0].b.value());
      double sum = 0.0;
      for (int64_t i = 0; i < y.numel(); ++i) {
        double value = y.data<double>()[i] + 0.7 * added.data<double>()[i];
        if (magnitudes)
          value *= m.parts[0].magnitude->value().data<double>()[i % kOut] / lengths.data<float>()[i % kOut];
        sum += value * weights.data<double>()[i];
      }
      return sum;
    };
    set_trainable(both.adapter, true);
    autograd::backward(both.forward(x), weights);
    both.adapter.visit([&](const std::string& name, Parameter& p) {
      const Tensor gradient = p.grad();
      ASSERT_TRUE(gradient.defined()) << name;
      for (int64_t i = 0; i < p.shape().numel(); ++i) {
        double& value = p.master().data<double>()[i];
        const double kept = value, step = 1e-4;
        value = kept + step;
        const double above = loss();
        value = kept - step;
        const double below = loss();
        value = kept;
        EXPECT_NEAR(gradient.to(DType::f64).data<double>()[i], (above - below) / (2.0 * step), 2e-5) << name;
      }
    });
  }
}

TEST(LoraAdapter, LetsGradientsThroughWeightsInBlocks) {
  const Tensor x = normal_tensor({5, 64}, 2), w = normal_tensor({kOut, 64}, 3),
               dy = normal_tensor({5, kOut}, 4);
  Tensor blocks({kOut, 64}, DType::q8_0);
  for (int64_t i = 0; i < kOut * 2; ++i) {  // a scale of 1/16, and numbers from -127 to 127
    auto* block = static_cast<uint8_t*>(blocks.raw()) + i * 34;
    const uint16_t scale = 0x2c00;
    std::memcpy(block, &scale, 2);
    for (int c = 0; c < 32; ++c)
      block[2 + c] = static_cast<uint8_t>(static_cast<int8_t>(16.0f * w.data<float>()[i * 32 + c]));
  }
  Tensor gradients[2];
  for (const bool in_blocks : {false, true}) {
    Tensor leaf = x.clone();
    autograd::require_grad(leaf);
    autograd::backward(ops::linear(leaf, in_blocks ? blocks : ops::cast(blocks, DType::f32)), dy);
    gradients[in_blocks] = autograd::grad(leaf);
  }
  EXPECT_EQ(distance(gradients[0], gradients[1]), 0.0);
}

// Rows of several adapters in one pass get what they get alone, to the bit.
TEST(LoraAdapter, ChangesItsRowsAlone) {
  const autograd::NoGrad no_grad;
  const ops::BatchInvariant invariant;
  for (const bool magnitudes : {false, true}) {
    Adapted both(magnitudes);
    LoraAdapter other;
    const Parameter* const weights[] = {&both.linear.weight()};
    other.add("layer", weights, {.rank = 2, .scale = 2.0});
    randomise(other);
    const Tensor x = normal_tensor({1, 40, kIn}, 2);
    ForwardContext context = ForwardContext::causal(1, 40);
    const AdapterRows rows[] = {{&both.adapter, 3, 8}, {&other, 8, 20}, {&both.adapter, 30, 31}};
    context.adapters = rows;
    const Tensor y = both.linear.forward(x, context);
    for (int64_t i = 0; i < 40; ++i) {
      const Tensor row = x.reshaped({40, kIn}).sliced(i, i + 1);
      ForwardContext alone = ForwardContext::causal(1, 1);
      const bool first = (i >= 3 && i < 8) || i == 30, second = i >= 8 && i < 20;
      const AdapterRows all{first ? &both.adapter : &other};
      if (first || second) alone.adapters = std::span(&all, 1);
      const Tensor wanted = both.linear.forward(row, alone);
      EXPECT_EQ(
          std::memcmp(wanted.raw(), y.reshaped({40, kOut}).sliced(i, i + 1).raw(), kOut * sizeof(float)), 0)
          << i;
    }
  }
}

// The rows of a module that joins two maps share A.
TEST(LoraAdapter, JoinedMapsShareWhatEntersThem) {
  Linear q(kIn, 4, false, 0.5), v(kIn, 6, false, 0.5);
  initialise(q, 1);
  initialise(v, 2);
  LoraAdapter adapter;
  const Parameter* const weights[] = {&q.weight(), &v.weight()};
  adapter.add("c_attn", weights, {.rank = kRank});
  std::vector<std::string> names;
  adapter.visit([&](const std::string& name, Parameter&) { names.push_back(name); });
  EXPECT_EQ(names, (std::vector<std::string>{"c_attn.lora_A.weight", "c_attn.lora_B.weight.0",
                                             "c_attn.lora_B.weight.1"}));
  const Parameter other(Shape{4, kIn + 1}, Init{});
  const Parameter* const unlike[] = {&q.weight(), &other};
  EXPECT_ANY_THROW(adapter.add("wrong", unlike, {}));
}

// Tokens of a mixture stand in other rows of each expert.
TEST(LoraAdapter, FollowsTokensToTheirExperts) {
  const autograd::NoGrad no_grad;
  const ops::BatchInvariant invariant;
  MixtureOfExperts mixture({.expert = {.hidden = kIn, .intermediate = 8, .gated = true, .init_std = 0.5},
                            .experts = 4,
                            .chosen = 2});
  initialise(mixture, 3);
  set_trainable(mixture, false);
  LoraAdapter adapter;
  mixture.visit([&](const std::string& name, const Parameter& p) {
    const Parameter* const weight = &p;
    if (p.is_matrix() && name.find("experts") != name.npos)
      adapter.add(name, std::span(&weight, 1), {.rank = 2});
  });
  randomise(adapter);
  const Tensor x = normal_tensor({1, 10, kIn}, 2);
  ForwardContext context = ForwardContext::causal(1, 10);
  const AdapterRows rows{&adapter, 4, 7}, all{&adapter};
  context.adapters = std::span(&rows, 1);
  const Tensor y = mixture.forward(x, context);
  for (int64_t i = 0; i < 10; ++i) {
    ForwardContext alone = ForwardContext::causal(1, 1);
    if (i >= 4 && i < 7) alone.adapters = std::span(&all, 1);
    const Tensor row = x.reshaped({10, kIn}).sliced(i, i + 1).reshaped({1, 1, kIn});
    const Tensor wanted = mixture.forward(row, alone);
    EXPECT_EQ(std::memcmp(wanted.raw(), y.reshaped({10, kIn}).sliced(i, i + 1).raw(), kIn * sizeof(float)), 0)
        << i;
  }
}

}  // namespace
}  // namespace quern::nn
