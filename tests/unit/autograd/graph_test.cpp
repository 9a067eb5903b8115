#include "autograd/graph.h"

#include <gtest/gtest.h>

#include "base/exception.h"

namespace quern::autograd {
namespace {

// Ops small enough to see through; the real ones live above this folder.
Tensor elementwise(const Tensor& a, const Tensor& b, float (*f)(float, float)) {
  Tensor y(a.shape(), DType::f32);
  for (int64_t i = 0; i < a.numel(); ++i) y.data<float>()[i] = f(a.data<float>()[i], b.data<float>()[i]);
  return y;
}

Tensor product(const Tensor& a, const Tensor& b) {
  return elementwise(a, b, [](float x, float y) { return x * y; });
}

Tensor add(const Tensor& a, const Tensor& b) {
  Tensor y = elementwise(a, b, [](float x, float z) { return x + z; });
  if (!recording({&a, &b})) return y;
  record(y, "add", {a, b}, [](const Tensor& dy, BackwardContext& inputs) {
    inputs.give(0, dy);
    inputs.give(1, dy);
  });
  return y;
}

Tensor mul(const Tensor& a, const Tensor& b) {
  Tensor y = product(a, b);
  if (!recording({&a, &b})) return y;
  record(y, "mul", {a, b}, [a = a.detached(), b = b.detached()](const Tensor& dy, BackwardContext& inputs) {
    if (inputs.needs(0)) inputs.give(0, product(dy, b));
    if (inputs.needs(1)) inputs.give(1, product(dy, a));
  });
  return y;
}

// y = 3x, adding its gradient into the buffer as the matrix product does.
Tensor triple(const Tensor& x) {
  const Tensor input = x.to(DType::f32);
  Tensor y = add(add(input.detached(), input.detached()), input.detached());
  if (!recording({&x})) return y;
  record(y, "triple", {x}, [](const Tensor& dy, BackwardContext& inputs) {
    const Tensor dx = inputs.buffer(0);
    for (int64_t i = 0; i < dx.numel(); ++i) dx.data<float>()[i] += 3.0f * dy.data<float>()[i];
  });
  return y;
}

Tensor leaf(float value) {
  Tensor tensor = Tensor::full({2}, value);
  return require_grad(tensor);
}

float grad_of(const Tensor& tensor) { return grad(tensor).data<float>()[0]; }

TEST(Backward, SumsOverADiamond) {
  const Tensor x = leaf(3.0f);
  const Tensor left = mul(x, x), right = add(x, x);
  backward(mul(left, right));  // 2x³
  EXPECT_FLOAT_EQ(grad_of(x), 54.0f);
}

TEST(Backward, AnAdditionMayHandOneGradientToBothSides) {
  const Tensor a = leaf(1.0f), b = leaf(2.0f);
  const Tensor sum = add(a, b);
  backward(add(sum, a));  // a collects twice, b must not see it
  EXPECT_FLOAT_EQ(grad_of(a), 2.0f);
  EXPECT_FLOAT_EQ(grad_of(b), 1.0f);
}

TEST(Backward, AdditionsAndBuffersMix) {
  const Tensor a = leaf(1.0f), b = leaf(2.0f);
  const Tensor sum = add(a, b);
  backward(add(triple(a), add(triple(sum), sum)));
  EXPECT_FLOAT_EQ(grad_of(a), 7.0f);
  EXPECT_FLOAT_EQ(grad_of(b), 4.0f);
}

TEST(Backward, AccumulatesOverCallsUntilCleared) {
  const Tensor x = leaf(2.0f);
  backward(mul(x, x));
  const Tensor first = grad(x);
  backward(mul(x, x));
  EXPECT_FLOAT_EQ(grad_of(x), 8.0f);
  EXPECT_FLOAT_EQ(first.data<float>()[0], 4.0f) << "a gradient somebody holds must not change under them";
  clear_grad(x);
  EXPECT_FALSE(grad(x).defined());
  backward(add(x, x));
  EXPECT_FLOAT_EQ(grad_of(x), 2.0f);
}

TEST(Backward, StartsFromTheSeed) {
  const Tensor x = leaf(2.0f);
  const Tensor seed = Tensor::full({2}, 0.5f);
  backward(mul(x, x), seed);
  EXPECT_FLOAT_EQ(grad_of(x), 2.0f);
  EXPECT_FLOAT_EQ(seed.data<float>()[0], 0.5f);
}

TEST(Backward, LeavesWhatTakesNoPartAlone) {
  const Tensor x = leaf(2.0f), constant = Tensor::full({2}, 5.0f);
  const Tensor y = mul(x, constant);
  EXPECT_FALSE(requires_grad(mul(constant, constant)));
  backward(y);
  EXPECT_FLOAT_EQ(grad_of(x), 5.0f);
  EXPECT_FALSE(requires_grad(constant));
}

TEST(Backward, ThrowsOnTheSecondWalk) {
  const Tensor x = leaf(2.0f);
  const Tensor trunk = mul(x, x);
  const Tensor first = add(trunk, trunk), second = mul(trunk, x);
  backward(first);
  EXPECT_THROW(backward(first), InternalError);
  EXPECT_THROW(backward(second), InternalError) << "its trunk is gone: the gradient would be silently wrong";
}

TEST(Backward, ThrowsOnALeafOrAConstant) {
  EXPECT_THROW(backward(leaf(1.0f)), InternalError);
  EXPECT_THROW(backward(Tensor::full({2}, 1.0f)), InternalError);
}

TEST(Backward, WalksALongChainWithoutRecursion) {
  const Tensor x = leaf(1.0f);
  Tensor y = x;
  for (int i = 0; i < 20'000; ++i) y = add(y, Tensor::full({2}, 0.0f));
  backward(y);
  EXPECT_FLOAT_EQ(grad_of(x), 1.0f);
}

TEST(Record, ALongChainIsDroppedWithoutRecursion) {
  const Tensor x = leaf(1.0f);
  Tensor y = x;
  for (int i = 0; i < 50'000; ++i) {
    y = checkpoint([](std::span<const Tensor> in) { return triple(in[0]); }, {add(y, y)});
  }
  y = Tensor();
  EXPECT_FALSE(grad(x).defined());
}

TEST(Backward, ReleasesMemoryOnTheWay) {
  constexpr int64_t kCount = 1 << 18, kBytes = kCount * 4;
  Tensor x = Tensor::full({kCount}, 1.0f);
  require_grad(x);
  Tensor y = x;
  for (int i = 0; i < 16; ++i) y = mul(y, y.detached());
  const int64_t before = memory_stats().live;
  reset_peak_memory();
  backward(y);
  EXPECT_LE(memory_stats().peak - before, 4 * kBytes) << "gradients of passed records pile up";
  EXPECT_LE(memory_stats().live - before, -14 * kBytes) << "y alone should keep none of the saved tensors";
}

// An addition reads nothing of its operands when it walks back, and so keeps nothing of them.
TEST(Record, KeepsNoElementsButWhatBackwardReads) {
  constexpr int64_t kCount = 1 << 18, kBytes = kCount * 4;
  Tensor x = Tensor::full({kCount}, 1.0f);
  require_grad(x);
  const Tensor one = Tensor::full({kCount}, 1.0f);
  const int64_t before = memory_stats().live;
  Tensor y = x;
  for (int i = 0; i < 16; ++i) y = add(y, one);
  EXPECT_LE(memory_stats().live - before, kBytes) << "y itself";
  backward(y);
  EXPECT_EQ(grad(x).data<float>()[kCount - 1], 1.0f);
}

TEST(NoGrad, RecordsNothingAndNests) {
  const Tensor x = leaf(2.0f);
  {
    const NoGrad no_grad;
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE(requires_grad(mul(x, x)));
    {
      const GradMode on(true);
      EXPECT_TRUE(requires_grad(mul(x, x)));
    }
    EXPECT_FALSE(grad_enabled());
  }
  EXPECT_TRUE(requires_grad(mul(x, x)));
}

TEST(NoGrad, HoldsDuringBackward) {
  const Tensor x = leaf(2.0f);
  Tensor y = product(x, x);
  bool recorded = true;
  record(y, "probe", {x}, [&](const Tensor&, BackwardContext&) { recorded = grad_enabled(); });
  backward(y);
  EXPECT_FALSE(recorded);
  EXPECT_TRUE(grad_enabled());
}

TEST(Leaves, A16BitLeafCollectsInF32) {
  Tensor x = Tensor::full({2}, 1.0f, DType::bf16);
  require_grad(x);
  for (int i = 0; i < 1000; ++i) backward(triple(x));  // bf16 would stop growing at 768
  EXPECT_EQ(grad(x).dtype(), DType::f32);
  EXPECT_FLOAT_EQ(grad_of(x), 3000.0f);
}

TEST(Leaves, AShadowAddsToTheGradientOfItsMaster) {
  const Tensor master = leaf(2.0f);
  Tensor shadow = master.detached().to(DType::bf16);
  share_grad(shadow, master);
  backward(add(triple(shadow), mul(master, master)));
  EXPECT_FLOAT_EQ(grad_of(master), 7.0f);
  EXPECT_FLOAT_EQ(grad_of(shadow), 7.0f);
  clear_grad(master);
  EXPECT_FALSE(grad(shadow).defined());
}

TEST(Leaves, SetGradChecksWhatItGets) {
  const Tensor x = leaf(2.0f);
  EXPECT_THROW(set_grad(x, Tensor::full({3}, 1.0f)), ShapeError);
  EXPECT_THROW(set_grad(x, Tensor::full({2}, 1.0f, DType::f64)), ShapeError);
  set_grad(x, Tensor::full({2}, 1.0f));
  EXPECT_FLOAT_EQ(grad_of(x), 1.0f);
  EXPECT_THROW(grad(add(x, x)), InternalError);
}

TEST(Checkpoint, GivesTheGradientsOfInputsAndOfCapturedLeaves) {
  const Tensor x = leaf(2.0f), w = leaf(3.0f);
  const Tensor y =
      checkpoint([w](std::span<const Tensor> in) { return mul(mul(in[0], w), in[0]); }, {mul(x, x)});
  EXPECT_FLOAT_EQ(y.data<float>()[0], 48.0f);
  backward(y);  // w x⁴
  EXPECT_FLOAT_EQ(grad_of(x), 96.0f);
  EXPECT_FLOAT_EQ(grad_of(w), 16.0f);
}

TEST(Checkpoint, Nests) {
  const Tensor x = leaf(2.0f);
  const auto square = [](std::span<const Tensor> in) { return mul(in[0], in[0]); };
  backward(
      checkpoint([&](std::span<const Tensor> in) { return mul(checkpoint(square, {in[0]}), in[0]); }, {x}));
  EXPECT_FLOAT_EQ(grad_of(x), 12.0f);
}

TEST(Checkpoint, StoresNothingOfItsBody) {
  constexpr int64_t kCount = 1 << 18, kBytes = kCount * 4;
  Tensor x = Tensor::full({kCount}, 1.0f);
  require_grad(x);
  const auto body = [](std::span<const Tensor> in) {
    Tensor y = in[0];
    for (int i = 0; i < 16; ++i) y = mul(y, y.detached());
    return y;
  };
  const int64_t before = memory_stats().live;
  const Tensor y = checkpoint(body, {x});
  EXPECT_LE(memory_stats().live - before, kBytes);
  backward(y);
  EXPECT_FLOAT_EQ(grad_of(x), 1.0f);
}

TEST(Checkpoint, OfABodyWithoutGradientsGivesNone) {
  const Tensor x = leaf(2.0f), constant = Tensor::full({2}, 3.0f);
  const Tensor frozen = checkpoint([](std::span<const Tensor> in) { return mul(in[0], in[0]); }, {constant});
  backward(mul(frozen, x));
  EXPECT_FLOAT_EQ(grad_of(x), 9.0f);
}

}  // namespace
}  // namespace quern::autograd
