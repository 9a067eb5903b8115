#include "formats/packed/affine_matrix.h"

#include <algorithm>

#include "base/threads.h"
#include "tensor/block_formats.h"

namespace quern::formats {

namespace {

constexpr int64_t kBlock = 32;  // elements of every block type used here

bool groups_are_blocks(const AffineGrid& grid) {
  if (grid.in % kBlock != 0) return false;
  for (int64_t i = 0; i < grid.in; ++i) {
    const int64_t first = i / kBlock * kBlock;
    if (grid.group_of[static_cast<size_t>(i)] != grid.group_of[static_cast<size_t>(first)]) return false;
  }
  return true;
}

bool scales_are_f16(const AffineGrid& grid) {
  if (grid.scales.dtype() == DType::f16) return true;
  const Tensor wide = grid.scales.to(DType::f32);
  return std::ranges::all_of(wide.span<float>(), [](float s) { return static_cast<float>(float16(s)) == s; });
}

// Writes a block of 32 codes less their zero points.
void put(BlockQ4_0& block, const int* q) {
  for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<uint8_t>((q[j] + 8) | (q[j + 16] + 8) << 4);
}

void put(BlockQ5_0& block, const int* q) {
  uint32_t fifth = 0;
  for (int j = 0; j < 32; ++j) fifth |= static_cast<uint32_t>((q[j] + 16) >> 4) << j;
  for (int j = 0; j < 4; ++j) block.qh[j] = static_cast<uint8_t>(fifth >> (8 * j));
  for (int j = 0; j < 16; ++j)
    block.qs[j] = static_cast<uint8_t>(((q[j] + 16) & 15) | ((q[j + 16] + 16) & 15) << 4);
}

void put(BlockQ8_0& block, const int* q) {
  for (int j = 0; j < 32; ++j) block.qs[j] = static_cast<int8_t>(q[j]);
}

// One row of a matrix: `codes` [in] and the scales of all dtypes as floats.
struct Row {
  const AffineGrid& grid;
  const float* scales;  // [groups, out]
  int64_t index;
  const uint8_t* codes;

  size_t at(int64_t column) const {
    return static_cast<size_t>(grid.group_of[static_cast<size_t>(column)] * grid.out + index);
  }
  int less_zero(int64_t column) const { return codes[column] - grid.zeros[at(column)]; }
};

template <class Block>
void put_row(const Row& row, Block* blocks) {
  for (int64_t i = 0; i < row.grid.in; i += kBlock) {
    int q[kBlock];
    for (int64_t j = 0; j < kBlock; ++j) q[j] = row.less_zero(i + j);
    blocks->d = float16(row.scales[row.at(i)]);
    put(*blocks++, q);
  }
}

template <class T>
void put_floats(const Row& row, T* values) {
  for (int64_t i = 0; i < row.grid.in; ++i)
    values[i] = static_cast<T>(row.scales[row.at(i)] * static_cast<float>(row.less_zero(i)));
}

template <class T>
void put_rows(const AffineGrid& grid, std::span<const uint8_t> codes, Tensor& result) {
  const Tensor scales = grid.scales.to(DType::f32);
  const int64_t row_bytes = result.bytes() / grid.out;
  auto* bytes = static_cast<std::byte*>(result.raw());
  parallel_for(grid.out, 16, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const Row row{grid, scales.data<float>(), o, codes.data() + o * grid.in};
      auto* to = reinterpret_cast<T*>(bytes + o * row_bytes);
      if constexpr (requires { to->d; })
        put_row(row, to);
      else
        put_floats(row, to);
    }
  });
}

}  // namespace

DType exact_dtype(const AffineGrid& grid) {
  if (!groups_are_blocks(grid) || !scales_are_f16(grid)) return grid.scales.dtype();
  const auto [least, most] = std::ranges::minmax(grid.zeros);
  const int lowest = -most, highest = (1 << grid.bits) - 1 - least;
  for (const auto& [dtype, reach] : {std::pair{DType::q4_0, 8}, {DType::q5_0, 16}, {DType::q8_0, 128}}) {
    if (lowest >= -reach && highest < reach) return dtype;
  }
  return grid.scales.dtype();
}

Tensor decode_affine(const AffineGrid& grid, std::span<const uint8_t> codes) {
  Tensor result({grid.out, grid.in}, exact_dtype(grid));
  switch (result.dtype()) {
    case DType::q4_0:
      put_rows<BlockQ4_0>(grid, codes, result);
      break;
    case DType::q5_0:
      put_rows<BlockQ5_0>(grid, codes, result);
      break;
    case DType::q8_0:
      put_rows<BlockQ8_0>(grid, codes, result);
      break;
    default:
      visit_float(result.dtype(), [&]<class T>() { put_rows<T>(grid, codes, result); });
  }
  return result;
}

}  // namespace quern::formats
