#include <gtest/gtest.h>

#include "kernel_test.h"

namespace quern::backend {
namespace {

using test::PlainArray;

struct Loss {
  PlainArray logits, loss;
};
Loss evaluate(const KernelTable& table, PlainArray logits, const std::vector<int32_t>& targets,
              bool gradient = true, double softcap = 0.0) {
  const int64_t rows = static_cast<int64_t>(targets.size());
  Loss result{std::move(logits), PlainArray(DType::f32, rows)};
  const PlainArray weight = PlainArray::random(DType::f32, rows, 9);
  EXPECT_TRUE(table.cross_entropy({rows, result.logits.size() / rows, result.logits.data(), targets.data(),
                                   gradient ? weight.data() : nullptr, result.loss.data(), gradient, softcap,
                                   result.logits.dtype()}));
  return result;
}

void check(const PlainArray& logits, const std::vector<int32_t>& targets, double softcap = 0.0) {
  const Loss expected = evaluate(reference_table(), logits, targets, true, softcap);
  for (const KernelTable* table : test::tables()) {
    const std::string what = std::string(table->name) + " " + std::string(name_of(logits.dtype()));
    const Loss got = evaluate(*table, logits, targets, true, softcap);
    test::expect_near(got.loss, expected.loss, 1e-6, what + " loss");
    test::expect_near(got.logits, expected.logits, 2.0 * test::rounding(logits.dtype()) + 3e-6,
                      what + " gradient");
    const Loss alone = evaluate(*table, logits, targets, false, softcap);
    EXPECT_EQ(alone.loss, got.loss) << what;
    EXPECT_EQ(alone.logits, logits) << what;
  }
}

TEST(CpuCrossEntropy, LossAndGradientOfEverySizeAndType) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t vocab : {1, 2, 15, 16, 17, 130, 1009}) {
      const int32_t last = static_cast<int32_t>(vocab - 1);
      check(PlainArray::random(dtype, 4 * vocab, 1, 3.0), {0, last, last / 2, last / 3});
    }
  }
}

TEST(CpuCrossEntropy, SoftcapAndIgnoredRows) {
  check(PlainArray::random(DType::f32, 4 * 100, 1, 30.0), {5, -1, 99, -100}, 30.0);
  check(PlainArray::random(DType::bf16, 4 * 100, 1, 30.0), {5, -1, 99, -100});
}

TEST(CpuCrossEntropy, LargeLogitsStayFinite) {
  PlainArray logits = PlainArray::random(DType::f32, 3 * 50, 1, 1e4);
  for (int64_t i = 0; i < 50; ++i) logits.set(i, 1e30 * static_cast<double>(i - 25));
  check(logits, {49, 1, 2});
}

TEST(CpuCrossEntropy, InfiniteAndNanLogits) {
  PlainArray logits = PlainArray::random(DType::f32, 5 * 40, 1);
  const double inf = std::numeric_limits<double>::infinity();
  logits.set(3, -inf);           // a token that cannot be
  logits.set(40 + 7, -inf);      // the target cannot be
  logits.set(2 * 40 + 11, inf);  // NaN from here on
  logits.set(3 * 40 + 39, NAN);
  for (int64_t i = 0; i < 40; ++i) logits.set(4 * 40 + i, -inf);
  check(logits, {1, 7, 1, 1, 1});
}

TEST(CpuCrossEntropy, ALargeVocabularySumsExactlyEnough) {
  for (const KernelTable* table : test::tables()) {
    const int64_t vocab = 1 << 18;
    const Loss got = evaluate(*table, PlainArray(DType::f32, vocab), {17});
    EXPECT_NEAR(got.loss.at(0), std::log(static_cast<double>(vocab)), 2e-6) << table->name;
  }
}

TEST(CpuCrossEntropy, ResultsDoNotDependOnTheNumberOfThreads) {
  for (const KernelTable* table : test::tables()) {
    std::vector<Loss> results;
    for (const int threads : {1, 3}) {
      const test::ScopedThreads scope(threads);
      results.push_back(
          evaluate(*table, PlainArray::random(DType::f32, 9 * 5003, 1), {0, 1, 2, 3, 4, 5, 6, 7, 8}));
    }
    EXPECT_EQ(results[0].loss, results[1].loss) << table->name;
    EXPECT_EQ(results[0].logits, results[1].logits) << table->name;
  }
}

}  // namespace
}  // namespace quern::backend
