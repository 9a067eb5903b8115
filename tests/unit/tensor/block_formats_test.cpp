#include "tensor/block_formats.h"

#include <gtest/gtest.h>

#include "base/exception.h"
#include "tensor/block_codebooks.h"
#include "tensor/tensor.h"

namespace quern {
namespace {

TEST(BlockFormats, EveryDTypeHasItsStruct) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (!is_block(dtype)) continue;
    visit_block(dtype, [&]<class Block>() {
      EXPECT_EQ(block_elements(dtype), Block::kElements) << name_of(dtype);
      EXPECT_EQ(block_bytes(dtype), static_cast<int64_t>(sizeof(Block))) << name_of(dtype);
      EXPECT_LE(alignof(Block), 2u) << name_of(dtype);
    });
    EXPECT_EQ(dtype_from_name(name_of(dtype)), dtype);
  }
  EXPECT_THROW(visit_block(DType::f32, []<class Block>() {}), InternalError);
}

TEST(BlockFormats, NamesAreFoundInAnyCase) {
  EXPECT_EQ(dtype_from_name("q4_k"), DType::q4_k);
  EXPECT_EQ(dtype_from_name("BF16"), DType::bf16);
  EXPECT_EQ(dtype_from_name("q4"), std::nullopt);
}

TEST(BlockFormats, SixBitScalesSitWhereTheFormatPutsThem) {
  const uint8_t q3k[12] = {0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0b11'10'01'11, 0, 0, 0b11'00'00'00};
  EXPECT_EQ(q3k_scale(q3k, 0), 1 | 3 << 4);
  EXPECT_EQ(q3k_scale(q3k, 8), 2 | 2 << 4);
  EXPECT_EQ(q3k_scale(q3k, 4), 0 | 1 << 4);
  EXPECT_EQ(q3k_scale(q3k, 12), 0 | 3 << 4);
  EXPECT_EQ(q3k_scale(q3k, 15), 15 | 3 << 4);
  const uint8_t q4k[12] = {0b10'000101, 0, 0, 0, 0b01'000011, 0, 0, 0, 0x7a, 0, 0, 0};
  EXPECT_EQ(q4k_scale(q4k, 0).scale, 5);
  EXPECT_EQ(q4k_scale(q4k, 0).min, 3);
  EXPECT_EQ(q4k_scale(q4k, 4).scale, 0xa | 2 << 4);
  EXPECT_EQ(q4k_scale(q4k, 4).min, 0x7 | 1 << 4);
}

TEST(BlockFormats, SmallFloatsOfScales) {
  EXPECT_EQ(half_e8m0(0), 0x1p-128f);
  EXPECT_EQ(half_e8m0(1), 0x1p-127f);
  EXPECT_EQ(half_e8m0(2), 0x1p-126f);
  EXPECT_EQ(half_e8m0(128), 1.0f);
  EXPECT_EQ(half_e8m0(255), 0x1p127f);
  EXPECT_EQ(half_ue4m3(0), 0.0f);
  EXPECT_EQ(half_ue4m3(1), 0x1p-10f);
  EXPECT_EQ(half_ue4m3(0x08), 0x1p-7f);
  EXPECT_EQ(half_ue4m3(0x38), 0.5f);
  EXPECT_EQ(half_ue4m3(0x7e), 224.0f);
  EXPECT_EQ(half_ue4m3(0x7f), 0.0f);
  for (uint32_t seven = 0; seven < 128; ++seven) {
    EXPECT_EQ(even_signs(seven) & 127u, seven);
    EXPECT_EQ(__builtin_popcount(even_signs(seven)) % 2, 0);
  }
}

TEST(BlockCodebooks, HoldTheLevelsOfTheirTypes) {
  EXPECT_EQ(kIq2XxsBook.groups[0][0], 8);
  EXPECT_EQ(kIq2XxsBook.groups[1][0], 43);
  EXPECT_EQ(kIq2XxsBook.groups[255][7], 43);
  EXPECT_EQ(kIq3XxsBook.groups[0][0], 4);
  EXPECT_EQ(kIq3SBook.groups[0][3], 1);
  EXPECT_EQ(kIq1Book.groups[0][0], -1);
}

TEST(BlockTensor, CountsBytesByBlocks) {
  const Tensor x({3, 2, 64}, DType::q4_0);
  EXPECT_EQ(x.bytes(), 3 * 2 * 2 * 18);
  EXPECT_EQ(x.describe(), "Q4_0[3, 2, 64]");
  EXPECT_EQ(Tensor({0, 64}, DType::q4_0).bytes(), 0);
  EXPECT_EQ(Tensor({4, 0}, DType::q4_0).bytes(), 0);
}

TEST(BlockTensor, SlicesAndReshapesWholeBlocksOnly) {
  const Tensor x = Tensor::zeros({4, 64}, DType::q4_0);
  EXPECT_EQ(static_cast<std::byte*>(x.sliced(1, 3).raw()) - static_cast<std::byte*>(x.raw()), 36);
  EXPECT_EQ(x.reshaped({256}).sliced(32, 96).bytes(), 36);
  EXPECT_EQ(x.reshaped({8, 32}).bytes(), x.bytes());
  EXPECT_THROW(x.reshaped({16, 16}), ShapeError);
  EXPECT_THROW(x.reshaped({256}).sliced(0, 16), ShapeError);
  EXPECT_THROW(x.reshaped({256}).sliced(16, 48), ShapeError);
  EXPECT_THROW(Tensor({2, 48}, DType::q4_0), ShapeError);
  EXPECT_THROW(Tensor({}, DType::q4_0), ShapeError);
  EXPECT_THROW(Tensor({1, 128}, DType::q4_k), ShapeError);
}

TEST(BlockTensor, HasNoElementsToAccess) {
  const Tensor x = Tensor::zeros({1, 32}, DType::q8_0);
  EXPECT_THROW(x.fill(1.0), ShapeError);
  EXPECT_THROW(x.to(DType::f32), ShapeError);
  EXPECT_THROW(Tensor::zeros({1, 32}).to(DType::q8_0), ShapeError);
  EXPECT_THROW(x.item(), ShapeError);
  EXPECT_THROW(x.data<uint8_t>(), InternalError);
  EXPECT_THROW(size_of(DType::q8_0), InternalError);
  EXPECT_THROW(bytes_of(DType::q8_0, 33), ShapeError);
  EXPECT_EQ(x.clone().bytes(), 34);
}

}  // namespace
}  // namespace quern
