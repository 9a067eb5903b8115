#include "nn/context.h"

#include <gtest/gtest.h>

#include <set>

#include "base/exception.h"

namespace quern::nn {
namespace {

using Ints = std::vector<int32_t>;

Ints values(const Tensor& tensor) {
  const auto span = tensor.span<int32_t>();
  return {span.begin(), span.end()};
}

TEST(ForwardContext, CausalSeesItselfAndThePast) {
  const ForwardContext context = ForwardContext::causal(2, 3);
  EXPECT_EQ(values(context.positions), (Ints{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(values(context.mask.begin), (Ints{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(values(context.mask.end), (Ints{1, 2, 3, 1, 2, 3}));
}

TEST(ForwardContext, PackedSeesItsDocumentOnly) {
  // The first row begins in the middle of a document.
  const ForwardContext context = ForwardContext::packed(Tensor::from(Ints{7, 8, 0, 1, 0, 1, 2, 0}, {2, 4}));
  EXPECT_EQ(values(context.mask.begin), (Ints{0, 0, 2, 2, 0, 0, 0, 3}));
  EXPECT_EQ(values(context.mask.end), (Ints{1, 2, 3, 4, 1, 2, 3, 4}));
}

TEST(ForwardContext, PackedRefusesNegativePositionsAndOtherShapes) {
  EXPECT_THROW(ForwardContext::packed(Tensor::from(Ints{0, -1}, {1, 2})), ShapeError);
  EXPECT_THROW(ForwardContext::packed(Tensor::from(Ints{0, 1}, {2})), ShapeError);
  EXPECT_THROW(ForwardContext::packed(Tensor::zeros({1, 2})), ShapeError);
}

TEST(ForwardContext, PaddedSeesAllOfItsTextAndNothingElse) {
  const ForwardContext context = ForwardContext::padded(std::vector<int64_t>{2, 3}, 3);
  EXPECT_EQ(values(context.positions), (std::vector<int32_t>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(values(context.mask.begin), std::vector<int32_t>(6, 0));
  EXPECT_EQ(values(context.mask.end), (std::vector<int32_t>{2, 2, 2, 3, 3, 3}));
  EXPECT_THROW(ForwardContext::padded(std::vector<int64_t>{4}, 3), ShapeError);
}

TEST(Narrowed, KeepsTheLastKeysOfEachQuery) {
  const ForwardContext context = ForwardContext::packed(Tensor::from(Ints{0, 1, 2, 3, 0, 1}, {1, 6}));
  EXPECT_EQ(values(narrowed(context.mask, 2).begin), (Ints{0, 0, 1, 2, 4, 4}));
  EXPECT_EQ(values(narrowed(context.mask, 2).end), values(context.mask.end));
  EXPECT_EQ(values(narrowed(context.mask, 0).begin), values(context.mask.begin));
  EXPECT_EQ(values(narrowed(context.mask, int64_t{1} << 40).begin), values(context.mask.begin));
}

TEST(DropoutState, EverySiteOfEveryStepHasItsStream) {
  std::set<uint64_t> streams;
  for (uint64_t step = 0; step < 4; ++step) {
    for (uint64_t site = 0; site < 1 + 2 * 16384; site += 127)
      streams.insert(DropoutState{true, 1, step}.stream(site));
  }
  EXPECT_EQ(streams.size(), 4u * 259u);
}

}  // namespace
}  // namespace quern::nn
