// Every kernel table against the reference, and the reference against fp64, on every case of the op registry.
#include <gtest/gtest.h>

#include <cmath>

#include "backend/api/backend.h"
#include "base/threads.h"
#include "support/op_rows/run_case.h"

namespace quern::ops::rows {
namespace {

constexpr DType kDTypes[] = {DType::f32, DType::bf16, DType::f16};

void expect_close(const Tensor& got, const Tensor& expected, const Tolerance& tolerance,
                  const std::string& what) {
  ASSERT_EQ(got.defined(), expected.defined()) << what;
  if (!expected.defined()) return;
  ASSERT_EQ(got.shape(), expected.shape()) << what;
  const Tensor a = got.to(DType::f64), b = expected.to(DType::f64);
  double squares = 0.0, errors = 0.0, worst = 0.0;
  for (int64_t i = 0; i < b.numel(); ++i) {
    const double error = a.data<double>()[i] - b.data<double>()[i];
    ASSERT_TRUE(std::isfinite(error)) << what << "[" << i << "] = " << a.data<double>()[i];
    squares += b.data<double>()[i] * b.data<double>()[i];
    errors += error * error;
    worst = std::max(worst, std::fabs(error));
  }
  // Below this the gradients of the registry's inputs are rounding noise around zero.
  constexpr double kNoise = 1e-3;
  const double count = static_cast<double>(std::max<int64_t>(b.numel(), 1));
  const double size = std::max(std::sqrt(squares / count), kNoise);
  EXPECT_LE(std::sqrt(errors / count) / size, tolerance.average) << what;
  EXPECT_LE(worst / size, tolerance.worst) << what;
}

void expect_close(const CaseResult& got, const CaseResult& expected, const Tolerance& tolerance) {
  expect_close(got.y, expected.y, tolerance, "output");
  for (size_t i = 0; i < expected.gradients.size(); ++i) {
    expect_close(got.gradients[i], expected.gradients[i], tolerance,
                 "gradient of input " + std::to_string(i));
  }
}

class TablesTest : public ::testing::TestWithParam<std::string> {
 protected:
  // Calls check(op, dtype) for every case in every dtype.
  template <class Check>
  static void for_each_case(const Check& check) {
    for (const OpCase& op : op_row(GetParam()).cases) {
      for (const DType dtype : kDTypes) {
        SCOPED_TRACE(op.name + ", " + std::string(name_of(dtype)));
        check(op, dtype);
      }
    }
  }
};

TEST_P(TablesTest, ReferenceAgreesWithDoublePrecision) {
  const backend::ScopedTable reference(backend::reference_table());
  for_each_case([](const OpCase& op, DType dtype) {
    const CaseData data = data_of(op, dtype);
    const CaseResult exact = run_case(op, converted(data, DType::f64));
    expect_close(run_case(op, data), exact, tolerance_of(dtype));
  });
}

TEST_P(TablesTest, EveryTableAgreesWithTheReference) {
  for_each_case([](const OpCase& op, DType dtype) {
    const CaseData data = data_of(op, dtype);
    CaseResult expected;
    for (const backend::KernelTable* table : backend::supported_tables()) {
      SCOPED_TRACE(table->name);
      const backend::ScopedTable scope(*table);
      const CaseResult got = run_case(op, data);
      if (table == &backend::reference_table())
        expected = got;
      else
        expect_close(got, expected, tolerance_of(dtype));
    }
  });
}

void expect_equal(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.defined(), b.defined()) << what;
  if (!a.defined()) return;
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())), 0) << what;
}

TEST_P(TablesTest, BitsDoNotDependOnTheNumberOfThreads) {
  const int threads = num_threads();
  for_each_case([](const OpCase& op, DType dtype) {
    const CaseData data = data_of(op, dtype);
    for (const backend::KernelTable* table : backend::supported_tables()) {
      SCOPED_TRACE(table->name);
      const backend::ScopedTable scope(*table);
      set_num_threads(1);
      const CaseResult one = run_case(op, data);
      set_num_threads(3);
      const CaseResult three = run_case(op, data);
      expect_equal(one.y, three.y, "output");
      for (size_t i = 0; i < one.gradients.size(); ++i) {
        expect_equal(one.gradients[i], three.gradients[i], "gradient of input " + std::to_string(i));
      }
    }
  });
  set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(Ops, TablesTest, ::testing::ValuesIn(op_names()),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace quern::ops::rows
