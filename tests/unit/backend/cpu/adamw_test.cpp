#include "kernel_case.h"

namespace quern::backend {
namespace {

struct State {
  Array w, grad, m, v;
  Array shadow;

  State(int64_t count, DType shadow_dtype)
      : w(Array::random(DType::f32, count, 1)),
        grad(Array::random(DType::f32, count, 2)),
        m(Array::random(DType::f32, count, 3, 0.1)),
        v(Array::random(DType::f32, count, 4, 0.1)),
        shadow(shadow_dtype, count) {
    for (int64_t i = 0; i < count; ++i) v.set(i, v[i] * v[i]);
  }
  AdamWArgs args(bool with_shadow) {
    return {.count = w.count(),
            .w = w.as<float>(),
            .grad = grad.as<float>(),
            .m = m.as<float>(),
            .v = v.as<float>(),
            .lr = 1e-2,
            .beta1 = 0.9,
            .beta2 = 0.999,
            .eps = 1e-8,
            .decay = 0.1,
            .correction1 = 1.0 - 0.9 * 0.9,
            .correction2 = 1.0 - 0.999 * 0.999,
            .grad_scale = 0.5,
            .shadow = with_shadow ? shadow.data() : nullptr,
            .shadow_dtype = shadow.dtype()};
  }
};

TEST(AdamWKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t count) {
    for (const bool with_shadow : {false, true}) {
      State got(count, dtype), want(count, dtype);
      ASSERT_TRUE(table.adamw(got.args(with_shadow)));
      reference_table().adamw(want.args(with_shadow));
      expect_close(got.w, want.w, 0.1);
      expect_close(got.m, want.m, 0.1);
      expect_close(got.v, want.v);
      expect_close(got.shadow, want.shadow, 0.1);
    }
  });
}

TEST(AdamWKernel, ShadowIsTheRoundedWeight) {
  for_each_table([](const KernelTable& table) {
    State state(100, DType::bf16);
    ASSERT_TRUE(table.adamw(state.args(true)));
    for (int64_t i = 0; i < 100; ++i) {
      EXPECT_EQ(state.shadow.as<uint16_t>()[i], bfloat16(state.w.as<float>()[i]).bits);
    }
  });
}

TEST(AdamWKernel, ThreadsDoNotMatter) {
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    State state(60001, dtype);
    table.adamw(state.args(true));
    return std::vector<Array>{state.w, state.m, state.v, state.shadow};
  });
}

}  // namespace
}  // namespace quern::backend
