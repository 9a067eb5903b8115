#include <string>

#include "kernel_case.h"

namespace quern::backend {
namespace {

constexpr Activation kKinds[] = {Activation::identity, Activation::gelu_erf,    Activation::gelu_tanh,
                                 Activation::silu,     Activation::relu,        Activation::sigmoid,
                                 Activation::tanh,     Activation::relu_squared};

template <class Body>
void for_each_activation(const Body& body) {
  for (const Activation kind : kKinds) {
    SCOPED_TRACE("activation " + std::to_string(static_cast<int>(kind)));
    body(kind);
  }
}

TEST(ActivationKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t count) {
    const Array x = Array::random(dtype, count, 1, 2.0), dy = Array::random(dtype, count, 2);
    for_each_activation([&](Activation kind) {
      Array y(dtype, count), dx(dtype, count), y_ref = y, dx_ref = dx;
      ASSERT_TRUE(table.activation({kind, count, x.data(), y.data(), dtype}));
      ASSERT_TRUE(table.activation_backward({kind, count, x.data(), dy.data(), dx.data(), dtype}));
      reference_table().activation({kind, count, x.data(), y_ref.data(), dtype});
      reference_table().activation_backward({kind, count, x.data(), dy.data(), dx_ref.data(), dtype});
      expect_close(y, y_ref, 1e-3);
      expect_close(dx, dx_ref, 0.1);
    });
  });
}

// The functions of simd/vec_math.h, over the range where f32 is neither all nor nothing.
TEST(ActivationKernel, IsAccurateOverTheWholeRange) {
  for_each_table([](const KernelTable& table) {
    constexpr int64_t kCount = 40001;
    Array x(DType::f32, kCount), y(DType::f32, kCount), want = y;
    for (int64_t i = 0; i < kCount; ++i) x.set(i, static_cast<double>(i - kCount / 2) * 20.0 / (kCount / 2));
    for_each_activation([&](Activation kind) {
      ASSERT_TRUE(table.activation({kind, kCount, x.data(), y.data(), DType::f32}));
      reference_table().activation({kind, kCount, x.data(), want.data(), DType::f32});
      expect_close(y, want, 1e-3);
    });
  });
}

TEST(ActivationKernel, LimitsAreExact) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    const double inf = std::numeric_limits<double>::infinity();
    Array x(dtype, 5);
    const double in[] = {-inf, -300.0, 0.0, 300.0, inf};
    for (int64_t i = 0; i < 5; ++i) x.set(i, in[i]);
    const auto expect = [&](Activation kind, std::vector<double> want) {
      Array y(dtype, 5);
      ASSERT_TRUE(table.activation({kind, 5, x.data(), y.data(), dtype}));
      for (int64_t i = 0; i < 5; ++i) {
        if (!std::isnan(want[static_cast<size_t>(i)])) {
          EXPECT_EQ(y[i], want[static_cast<size_t>(i)])
              << "activation " << static_cast<int>(kind) << " at " << in[i];
        }
      }
    };
    const double any = std::nan("");
    expect(Activation::sigmoid, {0, 0, 0.5, 1, 1});
    expect(Activation::tanh, {-1, -1, 0, 1, 1});
    expect(Activation::relu, {0, 0, 0, 300, inf});
    expect(Activation::silu, {any, 0, 0, 300, inf});
    expect(Activation::gelu_erf, {any, 0, 0, 300, inf});
    expect(Activation::gelu_tanh, {any, 0, 0, 300, inf});
  });
}

TEST(ActivationKernel, KeepsNan) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    for_each_activation([&](Activation kind) {
      Array x(dtype, 20), y(dtype, 20);
      for (int64_t i = 0; i < 20; ++i) x.set(i, std::nan(""));
      ASSERT_TRUE(table.activation({kind, 20, x.data(), y.data(), dtype}));
      for (int64_t i = 0; i < 20; ++i) EXPECT_TRUE(std::isnan(y[i])) << i;
    });
  });
}

TEST(GatedKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t count) {
    const Array gate = Array::random(dtype, count, 1, 2.0), up = Array::random(dtype, count, 2);
    const Array dy = Array::random(dtype, count, 3);
    for_each_activation([&](Activation kind) {
      Array y(dtype, count), dgate = y, dup = y, y_ref = y, dgate_ref = y, dup_ref = y;
      ASSERT_TRUE(table.gated({kind, count, gate.data(), up.data(), y.data(), dtype}));
      ASSERT_TRUE(table.gated_backward(
          {kind, count, gate.data(), up.data(), dy.data(), dgate.data(), dup.data(), dtype}));
      reference_table().gated({kind, count, gate.data(), up.data(), y_ref.data(), dtype});
      reference_table().gated_backward(
          {kind, count, gate.data(), up.data(), dy.data(), dgate_ref.data(), dup_ref.data(), dtype});
      expect_close(y, y_ref, 1e-3);
      expect_close(dgate, dgate_ref, 0.1);
      expect_close(dup, dup_ref, 1e-3);
    });
  });
}

TEST(ActivationKernel, ThreadsDoNotMatter) {
  constexpr int64_t kCount = 50001;
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    const Array gate = Array::random(dtype, kCount, 1), up = Array::random(dtype, kCount, 2);
    std::vector<Array> out(5, Array(dtype, kCount));
    const Activation kind = Activation::silu;
    table.activation({kind, kCount, gate.data(), out[0].data(), dtype});
    table.activation_backward({kind, kCount, gate.data(), up.data(), out[1].data(), dtype});
    table.gated({kind, kCount, gate.data(), up.data(), out[2].data(), dtype});
    table.gated_backward(
        {kind, kCount, gate.data(), up.data(), up.data(), out[3].data(), out[4].data(), dtype});
    return out;
  });
}

TEST(ActivationKernel, DeclinesF64) {
  for_each_table([](const KernelTable& table) {
    double x = 1.0, y = 0.0;
    EXPECT_FALSE(table.activation({Activation::silu, 1, &x, &y, DType::f64}));
  });
}

}  // namespace
}  // namespace quern::backend
