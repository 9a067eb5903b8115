#include "kernel_case.h"

namespace quern::backend {
namespace {

struct Inputs {
  NormKind kind;
  int64_t rows, cols;
  DType dtype;
  Array x, dy, weight, bias;

  Inputs(NormKind norm_kind, int64_t row_count, int64_t col_count, DType row_dtype, double shift = 0.0)
      : kind(norm_kind),
        rows(row_count),
        cols(col_count),
        dtype(row_dtype),
        x(Array::random(row_dtype, row_count * col_count, 1)),
        dy(Array::random(row_dtype, row_count * col_count, 2)),
        weight(Array::random(DType::f32, col_count, 3)),
        bias(Array::random(DType::f32, col_count, 4)) {
    for (int64_t i = 0; i < x.count(); ++i) x.set(i, x[i] + shift);
  }
};

struct Outputs {
  Array y, mean, rstd, dx, dweight, dbias;

  explicit Outputs(const Inputs& in)
      : y(in.dtype, in.rows * in.cols),
        mean(DType::f32, in.rows),
        rstd(DType::f32, in.rows),
        dx(in.dtype, in.rows * in.cols),
        dweight(Array::random(DType::f32, in.cols, 5)),  // accumulated into
        dbias(Array::random(DType::f32, in.cols, 6)) {}
};

Outputs run(const KernelTable& table, const Inputs& in, bool affine = true) {
  Outputs out(in);
  const void* weight = affine ? in.weight.data() : nullptr;
  const double offset = affine ? 1.0 : 0.0;
  EXPECT_TRUE(table.norm({.kind = in.kind,
                          .rows = in.rows,
                          .cols = in.cols,
                          .x = in.x.data(),
                          .weight = weight,
                          .bias = affine ? in.bias.data() : nullptr,
                          .weight_offset = offset,
                          .eps = 1e-5,
                          .y = out.y.data(),
                          .mean = out.mean.data(),
                          .rstd = out.rstd.data(),
                          .dtype = in.dtype}));
  EXPECT_TRUE(table.norm_backward({.kind = in.kind,
                                   .rows = in.rows,
                                   .cols = in.cols,
                                   .x = in.x.data(),
                                   .weight = weight,
                                   .weight_offset = offset,
                                   .mean = out.mean.data(),
                                   .rstd = out.rstd.data(),
                                   .dy = in.dy.data(),
                                   .dx = out.dx.data(),
                                   .dweight = affine ? out.dweight.data() : nullptr,
                                   .dbias = affine ? out.dbias.data() : nullptr,
                                   .dtype = in.dtype}));
  return out;
}

template <class Body>
void for_each_norm(const Body& body) {
  for (const NormKind kind : {NormKind::layer, NormKind::rms}) {
    SCOPED_TRACE(kind == NormKind::layer ? "layer" : "rms");
    body(kind);
  }
}

TEST(NormKernel, AgreesWithTheReference) {
  for_each_size([](const KernelTable& table, DType dtype, int64_t cols) {
    for_each_norm([&](NormKind kind) {
      for (const bool affine : {true, false}) {
        const Inputs in(kind, 5, cols, dtype);
        const Outputs got = run(table, in, affine), want = run(reference_table(), in, affine);
        expect_close(got.y, want.y, 1.0);
        expect_close(got.mean, want.mean, 1.0);
        expect_close(got.rstd, want.rstd);
        if (cols > 1) expect_close(got.dx, want.dx, 5.0);  // one column: 0/0 made finite by eps alone
        expect_close(got.dweight, want.dweight, 5.0);
        expect_close(got.dbias, want.dbias, 5.0);
      }
    });
  });
}

TEST(NormKernel, SurvivesAMeanFarFromZero) {
  for_each_table([](const KernelTable& table) {
    const Inputs in(NormKind::layer, 3, 1000, DType::f32, 1000.0);
    expect_close(run(table, in).y, run(reference_table(), in).y, 3.0);
  });
}

TEST(NormKernel, WritesOnlyWhatIsAsked) {
  for_each_dtype([](const KernelTable& table, DType dtype) {
    const Inputs in(NormKind::rms, 4, 33, dtype);
    const Outputs full = run(table, in);
    Array y(dtype, 4 * 33);
    ASSERT_TRUE(table.norm({.kind = in.kind,
                            .rows = 4,
                            .cols = 33,
                            .x = in.x.data(),
                            .weight = in.weight.data(),
                            .bias = nullptr,
                            .weight_offset = 1.0,
                            .eps = 1e-5,
                            .y = y.data(),
                            .mean = nullptr,
                            .rstd = nullptr,
                            .dtype = dtype}));
    EXPECT_TRUE(y == full.y);
    Array dweight = Outputs(in).dweight;
    ASSERT_TRUE(table.norm_backward({.kind = in.kind,
                                     .rows = 4,
                                     .cols = 33,
                                     .x = in.x.data(),
                                     .weight = in.weight.data(),
                                     .weight_offset = 1.0,
                                     .mean = nullptr,
                                     .rstd = full.rstd.data(),
                                     .dy = in.dy.data(),
                                     .dx = nullptr,
                                     .dweight = dweight.data(),
                                     .dbias = nullptr,
                                     .dtype = dtype}));
    EXPECT_TRUE(dweight == full.dweight);
  });
}

TEST(NormKernel, ThreadsDoNotMatter) {
  expect_same_for_any_threads([](const KernelTable& table, DType dtype) {
    const Inputs in(NormKind::layer, 1500, 100, dtype);
    const Outputs out = run(table, in);
    return std::vector<Array>{out.y, out.mean, out.rstd, out.dx, out.dweight, out.dbias};
  });
}

}  // namespace
}  // namespace quern::backend
