// What a student loses beside its teacher, and smoothed labels: against torch and TRL, and by hand.
#include "ops/linear_distillation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/graph.h"
#include "ops/linear_cross_entropy.h"
#include "support/golden.h"
#include "support/op_rows/op_row.h"

namespace quern::ops {
namespace {

using Json = nlohmann::json;

Json golden_losses() {
  std::ifstream file(test::kGolden / "losses" / "distill.json");
  return Json::parse(file);
}

Tensor matrix(const Json& rows, DType dtype) {
  const auto n = static_cast<int64_t>(rows.size()), width = static_cast<int64_t>(rows.at(0).size());
  const Tensor x({n, width}, DType::f64);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < width; ++c)
      x.data<double>()[i * width + c] = rows[static_cast<size_t>(i)][static_cast<size_t>(c)].get<double>();
  return x.to(dtype);
}

Tensor ids(const Json& values) {
  const auto all = values.get<std::vector<int32_t>>();
  return Tensor::from(all, {static_cast<int64_t>(all.size())});
}

// A projection that leaves states as they are: logits are given.
Tensor identity(int64_t size, DType dtype) {
  const Tensor x = Tensor::zeros({size, size}, DType::f64);
  for (int64_t i = 0; i < size; ++i) x.data<double>()[i * (size + 1)] = 1.0;
  return x.to(dtype);
}

// Weights of the mean over rows that are learnt.
Tensor mean_weights(const Tensor& targets, DType dtype) {
  double learnt = 0.0;
  for (const int32_t target : targets.span<int32_t>()) learnt += target >= 0 ? 1.0 : 0.0;
  return Tensor::full(targets.shape(), 1.0 / learnt, dtype);
}

void expect_close(const Tensor& got, const Tensor& wanted, double tolerance) {
  const Tensor a = got.to(DType::f64), b = wanted.to(DType::f64);
  for (int64_t i = 0; i < a.numel(); ++i)
    EXPECT_NEAR(a.data<double>()[i], b.data<double>()[i], tolerance) << "element " << i;
}

double mean_of(const Tensor& rows, const Tensor& weights) {
  const Tensor values = rows.to(DType::f64), factors = weights.to(DType::f64);
  double mean = 0.0;
  for (int64_t i = 0; i < values.numel(); ++i) mean += values.data<double>()[i] * factors.data<double>()[i];
  return mean;
}

DistillationOptions options_of(const Json& golden) {
  DistillationOptions options{.share = golden.at("weight").get<double>(),
                              .temperature = golden.at("temperature").get<double>()};
  const auto beta = golden.at("beta").get<double>();
  if (beta == 0.0) return options;
  options.divergence = beta == 1.0 ? Divergence::reverse_kl : Divergence::jensen_shannon;
  if (beta != 1.0) options.beta = beta;
  return options;
}

class GoldenDistillation : public testing::TestWithParam<DType> {
 protected:
  double tolerance() const { return GetParam() == DType::f64 ? 1e-12 : 2e-6; }
};

TEST_P(GoldenDistillation, IsThatOfTrl) {
  const Json golden = golden_losses();
  const Tensor targets = ids(golden.at("targets")), weights = mean_weights(targets, GetParam());
  ASSERT_GE(golden.at("distilled").size(), 9u);
  for (const Json& recorded : golden.at("distilled")) {
    SCOPED_TRACE(fmt::format("weight {} temperature {} beta {}", recorded.at("weight").get<double>(),
                             recorded.at("temperature").get<double>(), recorded.at("beta").get<double>()));
    Tensor student = matrix(recorded.at("student"), GetParam());
    const Tensor teacher = matrix(recorded.at("teacher"), GetParam());
    const Tensor same = identity(student.dim(1), GetParam());
    autograd::require_grad(student);
    DistillationOptions options = options_of(recorded);
    options.weights = weights;
    options.chunk_rows = 3;
    const Distilled found =
        linear_distillation(student, {.weight = same}, teacher, {.weight = same}, targets, options);
    autograd::backward(found.loss);
    EXPECT_NEAR(found.loss.item(), recorded.at("loss").get<double>(), 10 * tolerance());
    EXPECT_NEAR(mean_of(found.hard, weights), recorded.at("hard").get<double>(), tolerance());
    EXPECT_NEAR(mean_of(found.divergence, weights), recorded.at("divergence").get<double>(), tolerance());
    expect_close(autograd::grad(student), matrix(recorded.at("gradient"), GetParam()), 4 * tolerance());
    double agreement = 0.0;
    for (const int32_t agrees : found.agrees.span<int32_t>()) agreement += agrees / 4.0;  // of 4 learnt rows
    EXPECT_NEAR(agreement, recorded.at("agreement").get<double>(), 1e-12);
  }
}

TEST_P(GoldenDistillation, SmoothedLabelsAreThoseOfTorch) {
  const Json golden = golden_losses();
  const Tensor targets = ids(golden.at("targets"));
  for (const Json& recorded : golden.at("smoothed")) {
    Tensor logits = matrix(recorded.at("logits"), GetParam());
    const Tensor same = identity(logits.dim(1), GetParam());
    autograd::require_grad(logits);
    const Tensor loss = linear_cross_entropy(logits, same, targets,
                                             {.weights = mean_weights(targets, GetParam()),
                                              .label_smoothing = recorded.at("smoothing").get<double>()});
    autograd::backward(loss);
    EXPECT_NEAR(loss.item(), recorded.at("loss").get<double>(), tolerance());
    expect_close(autograd::grad(logits), matrix(recorded.at("gradient"), GetParam()), tolerance());
  }
}

INSTANTIATE_TEST_SUITE_P(OfBothWidths, GoldenDistillation, testing::Values(DType::f64, DType::f32));

// p = (1/2, 1/2) of the teacher, q = (3/4, 1/4) of the student.
TEST(Distillation, ByHand) {
  const Tensor student = Tensor::from(std::vector{std::log(3.0f), 0.0f}, {1, 2});
  const Tensor teacher = Tensor::zeros({1, 2}), same = identity(2, DType::f32);
  const Tensor target = Tensor::zeros({1}, DType::i32);
  const auto divergence = [&](const DistillationOptions& options) {
    return linear_distillation(student, {.weight = same}, teacher, {.weight = same}, target, options)
        .divergence.data<float>()[0];
  };
  EXPECT_NEAR(divergence({}), 0.5 * std::log(4.0 / 3.0), 1e-6);
  EXPECT_NEAR(divergence({.divergence = Divergence::reverse_kl}), 0.75 * std::log(1.5) + 0.25 * std::log(0.5),
              1e-6);
  // The mixture is (5/8, 3/8).
  EXPECT_NEAR(divergence({.divergence = Divergence::jensen_shannon}),
              0.5 * (0.5 * std::log(0.8) + 0.5 * std::log(4.0 / 3.0)) +
                  0.5 * (0.75 * std::log(1.2) + 0.25 * std::log(2.0 / 3.0)),
              1e-6);
  // At temperature 2 the student says sqrt 3 : 1.
  const double q = std::sqrt(3.0) / (1.0 + std::sqrt(3.0));
  const Distilled warm = linear_distillation(student, {.weight = same}, teacher, {.weight = same}, target,
                                             {.share = 0.25, .temperature = 2.0});
  const double wanted = 0.5 * std::log(0.5 / q) + 0.5 * std::log(0.5 / (1.0 - q));
  EXPECT_NEAR(warm.divergence.data<float>()[0], wanted, 1e-6);
  EXPECT_NEAR(warm.loss.item(), 0.75 * std::log(4.0 / 3.0) + 0.25 * 4.0 * wanted, 1e-6);
}

TEST(Distillation, OfATeacherThatIsTheStudentIsNothing) {
  Rng rng(3, 0);
  const Tensor h = rows::random(rng, {5, 8}, DType::f32), w = rows::random(rng, {301, 8}, DType::f32);
  const Tensor targets = rows::random_ints(rng, {5}, 0, 301);
  for (const Divergence kind : {Divergence::forward_kl, Divergence::reverse_kl, Divergence::jensen_shannon}) {
    const Distilled found = linear_distillation(h, {.weight = w}, h, {.weight = w}, targets,
                                                {.temperature = 2.0, .divergence = kind});
    for (const float divergence : found.divergence.span<float>()) EXPECT_EQ(divergence, 0.0f);
    for (const int32_t agrees : found.agrees.span<int32_t>()) EXPECT_EQ(agrees, 1);
  }
}

TEST(Distillation, OfHardLabelsAloneIsCrossEntropy) {
  Rng rng(4, 0);
  const Tensor h = rows::random(rng, {7, 8}, DType::f32), w = rows::random(rng, {61, 8}, DType::f32);
  const Tensor other = rows::random(rng, {7, 8}, DType::f32);
  const Tensor targets = rows::random_ints(rng, {7}, -5, 61), weights = rows::random(rng, {7}, DType::f32);
  Tensor leaves[2];
  double losses[2];
  for (const bool distilled : {false, true}) {
    Tensor& leaf = leaves[distilled] = h.clone();
    autograd::require_grad(leaf);
    const Tensor loss = distilled
                            ? linear_distillation(leaf, {.weight = w}, other, {.weight = w}, targets,
                                                  {.share = 0.0, .temperature = 2.0, .weights = weights})
                                  .loss
                            : linear_cross_entropy(leaf, w, targets, {.weights = weights});
    losses[distilled] = loss.item();
    autograd::backward(loss);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-5);
  for (int64_t i = 0; i < h.numel(); ++i)
    EXPECT_NEAR(autograd::grad(leaves[0]).data<float>()[i], autograd::grad(leaves[1]).data<float>()[i], 1e-6);
}

TEST(Distillation, NeverHoldsTheLogitsOfTheWholeBatch) {
  constexpr int64_t kRows = 4000, kVocab = 20'000;
  Tensor h = Tensor::zeros({kRows, 2});
  const Tensor w = Tensor::zeros({kVocab, 2});
  // Half of the rows are prompts: they make no logits.
  const Tensor targets = Tensor::zeros({kRows}, DType::i32);
  for (int64_t i = 0; i < kRows; i += 2) targets.data<int32_t>()[i] = -100;
  autograd::require_grad(h);
  const int64_t before = memory_stats().live;
  reset_peak_memory();
  const Distilled found = linear_distillation(h, {.weight = w}, Tensor::zeros({kRows, 2}), {.weight = w},
                                              targets, {.temperature = 2.0});
  EXPECT_NEAR(found.loss.item() / (kRows / 2), 0.5 * std::log(kVocab), 1e-3);
  EXPECT_EQ(found.hard.data<float>()[0], 0.0f);
  EXPECT_LE(memory_stats().peak - before, kLogitChunkBytes + (int64_t{4} << 20));
}

}  // namespace
}  // namespace quern::ops
