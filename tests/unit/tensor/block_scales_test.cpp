// Tensors whose scales lie beside their blocks.
#include "tensor/block_scales.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/exception.h"
#include "tensor/tensor.h"

namespace quern {
namespace {

struct Kept : BlockScales {
  std::vector<float> values;
};

// Four rows of two blocks; block i has scale i.
Tensor numbered() {
  const auto kept = std::make_shared<Kept>();
  kept->values.resize(8);
  std::iota(kept->values.begin(), kept->values.end(), 0.0f);
  kept->absmax = kept->values.data();
  return Tensor::of_blocks(Tensor::zeros({4, 64}, DType::u8), {4, 128}, DType::nf4, kept);
}

TEST(BlockScales, FollowRows) {
  const Tensor x = numbered(), rows = x.sliced(1, 4).sliced(1, 3);
  EXPECT_EQ(x.scales().of(5), 5.0f);
  EXPECT_EQ(rows.scales().of(0), 4.0f);
  EXPECT_EQ(rows.clone().scales().of(1), 5.0f);
  EXPECT_NE(rows.clone().raw(), rows.raw());
  EXPECT_EQ(rows.reshaped({4, 64}).scales().of(3), 7.0f);
  EXPECT_EQ(rows.detached().scales().of(3), 7.0f);
}

TEST(BlockScales, OutliveTheirMaker) {
  Tensor rows;
  {
    const Tensor x = numbered();
    rows = x.sliced(2, 4);
  }
  EXPECT_EQ(rows.scales().of(1), 5.0f);
}

TEST(BlockScales, SeveralBlocksShareOne) {
  const std::vector<float> two = {1.0f, 2.0f};
  BlockScales scales{.absmax = two.data(), .blocks_per_scale = 4};
  EXPECT_EQ(scales.of(3), 1.0f);
  scales.first = 3;
  EXPECT_EQ(scales.of(1), 2.0f);
}

// The product is rounded before the offset is added, as bitsandbytes does.
TEST(BlockScales, QuantisedScalesRoundTwice) {
  const std::vector<uint8_t> codes = {2, 1, 0};
  std::vector<float> levels(256, 0.0f), groups = {1.0f, 3.0f};
  levels[0] = 0.1f;
  levels[1] = 0.2f;
  levels[2] = -1.0f;
  const BlockScales scales{.codes = codes.data(),
                           .levels = levels.data(),
                           .groups = groups.data(),
                           .per_group = 2,
                           .offset = -0.3f};
  EXPECT_EQ(scales.of(0), -1.0f + -0.3f);
  EXPECT_EQ(scales.of(1), 0.2f + -0.3f);
  const volatile float product = 0.1f * 3.0f;
  EXPECT_EQ(scales.of(2), product + -0.3f);
}

// Bytes that lose their scales would stand for other numbers.
TEST(BlockScales, BytesAloneAreNoTensor) {
  const Tensor x = numbered();
  EXPECT_THROW(Tensor({4, 128}, DType::nf4), ShapeError);
  EXPECT_THROW(Tensor(Storage::allocate(256), 0, {4, 128}, DType::nf4), ShapeError);
  EXPECT_THROW(x.copy_from(numbered()), ShapeError);
  EXPECT_THROW(Tensor::of_blocks(x, {4, 64}, DType::nf4, std::make_shared<BlockScales>()), ShapeError);
  EXPECT_THROW(Tensor::of_blocks(Tensor::zeros({18}, DType::u8), {1, 32}, DType::q4_0, nullptr), ShapeError);
}

}  // namespace
}  // namespace quern
