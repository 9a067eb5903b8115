// Products with block-quantised matrices: every table, type and shape against the reference.
#include <gtest/gtest.h>

#include "kernel_test.h"
#include "tensor/block_formats.h"
#include "tensor/strips.h"

namespace quern::backend {
namespace {

using test::PlainArray;

// Random blocks: any bits are a block, but their f16 scales must be finite and small.
std::vector<uint8_t> random_blocks(DType dtype, int64_t rows, int64_t cols, uint64_t seed) {
  std::vector<uint8_t> bytes(static_cast<size_t>(rows * bytes_of(dtype, cols)));
  Rng rng(seed, 11);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rng.uniform() * 256.0);
  visit_block(dtype, [&]<class Block>() {
    Block* blocks = reinterpret_cast<Block*>(bytes.data());
    for (int64_t i = 0; i < rows * cols / Block::kElements; ++i) {
      const auto scale = [&] { return float16(static_cast<float>(0.001 + 0.01 * rng.uniform())); };
      if constexpr (requires { blocks[i].d.bits; }) blocks[i].d = scale();
      if constexpr (requires { blocks[i].m; }) blocks[i].m = scale();
      if constexpr (requires { blocks[i].dmin; }) blocks[i].dmin = scale();
      if constexpr (requires { blocks[i].e; }) blocks[i].e = static_cast<uint8_t>(118 + i % 5);
      if constexpr (std::is_same_v<Block, BlockNVFP4>) {
        for (uint8_t& d : blocks[i].d) d = static_cast<uint8_t>(d & 0x3f);
      }
      if constexpr (std::is_same_v<Block, BlockIQ1_M>) {
        const uint16_t bits = scale().bits;
        for (int n = 0; n < 4; ++n) {
          blocks[i].scales[n] =
              static_cast<uint16_t>((blocks[i].scales[n] & 0xfff) | (bits >> (4 * n) & 15) << 12);
        }
      }
    }
  });
  return bytes;
}

std::vector<DType> block_dtypes() {
  std::vector<DType> all;
  for (int d = 0; d < kDTypeCount; ++d) {
    if (is_block(static_cast<DType>(d))) all.push_back(static_cast<DType>(d));
  }
  return all;
}

struct Matrix {
  int64_t n, k;
  DType dtype;
  std::vector<uint8_t> blocks;
  std::vector<float> beside;  // scales that blocks lack

  Matrix(int64_t rows, int64_t cols, DType type, uint64_t seed)
      : n(rows), k(cols), dtype(type), blocks(random_blocks(type, rows, cols, seed)) {
    Rng rng(seed, 12);
    if (!has_scales_beside(type)) return;
    for (int64_t i = 0; i < rows * cols / block_elements(type); ++i)
      beside.push_back(static_cast<float>(0.001 + 0.01 * rng.uniform()));
  }

  BlockScales scales() const { return {.absmax = beside.data()}; }

  std::vector<uint8_t> strips(const KernelTable& table) const {
    const StripLayout layout{strip_format(dtype), k};
    std::vector<uint8_t> out(static_cast<size_t>(strip_count(n) * layout.bytes() + 1), 0xcd);
    EXPECT_TRUE(table.pack_strips({n, k, blocks.data(), dtype, out.data(), scales()}));
    EXPECT_EQ(out.back(), 0xcd) << "wrote past its end";
    return out;
  }
};

PlainArray multiply(const KernelTable& table, const Matrix& w, int64_t m, const PlainArray& x, bool strips,
                    const PlainArray* bias = nullptr) {
  PlainArray y(x.dtype(), m * w.n);
  const std::vector<uint8_t> packed = strips ? w.strips(table) : std::vector<uint8_t>();
  const BlockProduct part{w.n,
                          strips ? packed.data() : w.blocks.data(),
                          w.dtype,
                          strips,
                          bias ? bias->data() : nullptr,
                          y.data(),
                          w.scales()};
  EXPECT_TRUE(table.linear_blocks({m, w.k, x.data(), x.dtype(), &part, 1, false, Activation::identity}));
  return y;
}

// Types that strips round to 8 bits differ from the exact product by that rounding.
double tolerance(DType dtype) {
  return dtype == DType::nf4 || strip_format(dtype).scale == StripScale::f32 ? 0.01 : 1e-5;
}

TEST(CpuLinearBlocks, EveryTypeAgainstTheReference) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : block_dtypes()) {
      const Matrix w(37, 512, dtype, 3);
      for (const int64_t m : {1, 5, 17}) {
        const PlainArray x = PlainArray::random(DType::f32, m * w.k, 1),
                         bias = PlainArray::random(DType::f32, w.n, 2);
        const PlainArray expected = multiply(reference_table(), w, m, x, false, &bias);
        for (const bool strips : {true, false}) {
          test::expect_near(multiply(*table, w, m, x, strips, &bias), expected, tolerance(dtype),
                            std::string(table->name) + " " + std::string(name_of(dtype)) + " rows " +
                                std::to_string(m) + (strips ? " strips" : " blocks"));
        }
      }
    }
  }
}

TEST(CpuLinearBlocks, EveryShape) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : {DType::q4_1, DType::q5_0, DType::q8_0}) {
      for (const int64_t m : {1, 3, 4, 12, 13, 200, 400}) {
        for (const int64_t n : {1, 15, 16, 33}) {
          for (const int64_t k : {32, 96}) {
            const Matrix w(n, k, dtype, 4);
            const PlainArray x = PlainArray::random(DType::f32, m * k, 5);
            test::expect_near(multiply(*table, w, m, x, true), multiply(reference_table(), w, m, x, false),
                              1e-5,
                              std::string(table->name) + " " + std::string(name_of(dtype)) + " " +
                                  std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k));
          }
        }
      }
    }
  }
}

TEST(CpuLinearBlocks, SixteenBitActivations) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : {DType::bf16, DType::f16}) {
      const Matrix w(40, 256, DType::q4_k, 6);
      const PlainArray x = PlainArray::random(dtype, 6 * w.k, 7);
      test::expect_near(multiply(*table, w, 6, x, true), multiply(reference_table(), w, 6, x, false),
                        2.0 * test::rounding(dtype),
                        std::string(table->name) + " " + std::string(name_of(dtype)));
    }
  }
}

// The largest codes of both factors, where sums of 16 bits would saturate.
TEST(CpuLinearBlocks, ExtremeCodesDoNotSaturate) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : {DType::q8_0, DType::q6_k, DType::iq4_nl, DType::q5_1, DType::nf4}) {
      for (const int fill : {0x00, 0x7f, 0x80, 0xff}) {
        if (dtype == DType::nf4 && (fill == 0x7f || fill == 0x80)) continue;  // levels that strips round
        Matrix w(16, 256, dtype, 8);
        std::ranges::fill(w.beside, 0x1p-10f * 112);
        visit_block(dtype, [&]<class Block>() {
          Block* blocks = reinterpret_cast<Block*>(w.blocks.data());
          for (size_t i = 0; i < w.blocks.size() / sizeof(Block); ++i) {
            std::memset(static_cast<void*>(&blocks[i]), fill, sizeof(Block));
            if constexpr (requires { blocks[i].d.bits; }) blocks[i].d = float16(0.01f);
            if constexpr (requires { blocks[i].m; }) blocks[i].m = float16(0.0f);
          }
        });
        PlainArray x(DType::f32, w.k);
        for (int64_t i = 0; i < w.k; ++i) x.set(i, i % 3 == 0 ? -5.0 : 5.0);
        test::expect_near(
            multiply(*table, w, 1, x, true), multiply(reference_table(), w, 1, x, false), 1e-5,
            std::string(table->name) + " " + std::string(name_of(dtype)) + " " + std::to_string(fill));
      }
    }
  }
}

TEST(CpuLinearBlocks, SeveralPartsAndGatedPairs) {
  for (const KernelTable* table : test::tables()) {
    for (const bool strips : {true, false}) {
      const Matrix a(48, 256, DType::q4_k, 1), b(48, 256, DType::q6_k, 2), c(19, 256, DType::q8_0, 3);
      const PlainArray x = PlainArray::random(DType::f32, 5 * 256, 9),
                       bias = PlainArray::random(DType::f32, 48, 10);
      const auto run = [&](const KernelTable& t, bool packed, bool gated) {
        PlainArray ya(DType::f32, 5 * 48), yb(DType::f32, 5 * 48), yc(DType::f32, 5 * 19);
        std::vector<std::vector<uint8_t>> data;
        std::vector<BlockProduct> parts;
        for (const auto& [w, y] : {std::pair{&a, &ya}, {&b, &yb}, {&c, &yc}}) {
          data.push_back(packed ? w->strips(t) : w->blocks);
          parts.push_back(
              {w->n, data.back().data(), w->dtype, packed, y == &ya ? bias.data() : nullptr, y->data()});
        }
        EXPECT_TRUE(t.linear_blocks(
            {5, 256, x.data(), DType::f32, parts.data(), gated ? 2 : 3, gated, Activation::silu}));
        return std::vector<PlainArray>{ya, yb, yc};
      };
      const auto plain = run(*table, strips, false), expected = run(reference_table(), false, false);
      for (size_t i = 0; i < 3; ++i) test::expect_near(plain[i], expected[i], 1e-5, table->name);
      test::expect_near(run(*table, strips, true)[0], run(reference_table(), false, true)[0], 1e-5,
                        std::string(table->name) + " gated");
    }
  }
}

TEST(CpuLinearBlocks, ARowDoesNotDependOnItsBatchMatesNorOnThreadsNorOnTheLayout) {
  for (const KernelTable* table : test::tables()) {
    for (const DType dtype : block_dtypes()) {
      const Matrix w(130, 256, dtype, 12);
      const int64_t m = 59;
      const PlainArray x = PlainArray::random(DType::f32, m * w.k, 13);
      const PlainArray together = multiply(*table, w, m, x, true);
      EXPECT_TRUE(multiply(*table, w, m, x, false) == together) << table->name << " " << name_of(dtype);
      for (const int threads : {1, 3}) {
        const test::ScopedThreads scope(threads);
        for (const int64_t r : {0, 11, 12, 58}) {
          PlainArray row(DType::f32, w.k);
          for (int64_t i = 0; i < w.k; ++i) row.set(i, x.at(r * w.k + i));
          const PlainArray alone = multiply(*table, w, 1, row, true);
          for (int64_t j = 0; j < w.n; ++j) ASSERT_EQ(alone.at(j), together.at(r * w.n + j)) << table->name;
        }
      }
    }
  }
}

TEST(CpuLinearBlocks, NotANumberSpoilsItsRowAndNoOther) {
  for (const KernelTable* table : test::tables()) {
    const Matrix w(20, 64, DType::q4_0, 14);
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      PlainArray x = PlainArray::random(DType::f32, 3 * w.k, 15);
      x.set(w.k + 40, bad);
      const PlainArray y = multiply(*table, w, 3, x, true);
      for (int64_t j = 0; j < 3 * w.n; ++j)
        EXPECT_EQ(std::isnan(y.at(j)), j / w.n == 1) << table->name << " " << j;
    }
    const PlainArray zero(DType::f32, w.k);
    for (int64_t j = 0; j < w.n; ++j) EXPECT_EQ(multiply(*table, w, 1, zero, true).at(j), 0.0);
  }
}

}  // namespace
}  // namespace quern::backend
