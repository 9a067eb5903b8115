#include "formats/packed/gptq.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/threads.h"
#include "formats/packed/affine_matrix.h"

namespace quern::formats {

namespace {

constexpr int kWordBits = 32;
constexpr int kAwqBits = 4;
constexpr int kAwqOutputs[] = {0, 2, 4, 6, 1, 3, 5, 7};  // of the nibbles of a word, from the lowest

Error misfit_gptq(std::string_view name, std::string_view part, std::string_view expected,
                  const Tensor& got) {
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}.{}: expected {}, got {}", name, part, expected, got.describe()),
                    "do the weights and quantization_config belong together?");
}

// Code `index` of a stream whose words lie `stride` apart.
uint8_t code_at(const int32_t* words, int64_t stride, int64_t index, int bits) {
  const int64_t bit = index * bits, word = bit / kWordBits;
  const int shift = static_cast<int>(bit % kWordBits);
  uint64_t two = static_cast<uint32_t>(words[word * stride]);
  if (shift + bits > kWordBits)
    two |= uint64_t{static_cast<uint32_t>(words[(word + 1) * stride])} << kWordBits;
  return static_cast<uint8_t>((two >> shift) & ((1u << bits) - 1));
}

bool is_matrix(const Tensor& tensor, DType dtype) {
  return tensor.dtype() == dtype && tensor.shape().rank() == 2 && tensor.numel() > 0;
}

// The checks that both have in common; then groups * out scales are there.
Result<void> check_kinds(std::string_view name, const IntegerTensors& parts) {
  if (!is_matrix(parts.qweight, DType::i32))
    return misfit_gptq(name, "qweight", "a matrix of i32", parts.qweight);
  if (!is_matrix(parts.qzeros, DType::i32))
    return misfit_gptq(name, "qzeros", "a matrix of i32", parts.qzeros);
  const DType dtype = parts.scales.dtype();
  const bool known = dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32;
  if (!known || !is_matrix(parts.scales, dtype))
    return misfit_gptq(name, "scales", "a matrix of f16, bf16 or f32", parts.scales);
  if (parts.qzeros.dim(0) != parts.scales.dim(0))
    return misfit_gptq(name, "qzeros", fmt::format("a row for each of {} groups", parts.scales.dim(0)),
                       parts.qzeros);
  return {};
}

// Runs of group_size inputs.
Result<void> set_runs(std::string_view name, const Tensor& scales, int64_t group_size, AffineGrid& grid) {
  const int64_t size = group_size < 0 ? grid.in : group_size, groups = (grid.in - 1) / size + 1;
  if (scales.dim(0) != groups) {
    return misfit_gptq(name, "scales", fmt::format("{} groups of {} of {} inputs", groups, size, grid.in),
                       scales);
  }
  grid.group_of.resize(static_cast<size_t>(grid.in));
  for (int64_t i = 0; i < grid.in; ++i)
    grid.group_of[static_cast<size_t>(i)] = static_cast<int32_t>(i / size);
  return {};
}

Result<void> set_listed(std::string_view name, const Tensor& scales, const Tensor& g_idx, AffineGrid& grid) {
  if (g_idx.dtype() != DType::i32 || g_idx.shape() != Shape{grid.in})
    return misfit_gptq(name, "g_idx", fmt::format("i32[{}]", grid.in), g_idx);
  const auto groups = g_idx.span<int32_t>();
  const auto outside =
      std::ranges::find_if(groups, [&](int32_t group) { return group < 0 || group >= scales.dim(0); });
  if (outside != groups.end()) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}.g_idx: expected groups below {}, got {} at {}", name, scales.dim(0),
                                  *outside, outside - groups.begin()));
  }
  grid.group_of.assign(groups.begin(), groups.end());
  return {};
}

Result<AffineGrid> gptq_grid(std::string_view name, const IntegerTensors& parts,
                             const QuantizationConfig& config) {
  QUERN_CHECK(check_kinds(name, parts));
  AffineGrid grid{.out = parts.qweight.dim(1), .scales = parts.scales};
  if (parts.scales.dim(1) != grid.out)
    return misfit_gptq(name, "scales", fmt::format("{} columns, as qweight has", grid.out), parts.scales);
  const int64_t zero_bits = parts.qzeros.dim(1) * kWordBits, code_bits = parts.qweight.dim(0) * kWordBits;
  for (const int bits : {2, 3, 4, 8}) {
    if (zero_bits == grid.out * bits && code_bits % bits == 0) grid.bits = bits;
  }
  if (grid.bits == 0) {
    return misfit_gptq(name, "qzeros", fmt::format("{} zero points of 2, 3, 4 or 8 bits in a row", grid.out),
                       parts.qzeros);
  }
  grid.in = code_bits / grid.bits;
  QUERN_CHECK(parts.g_idx ? set_listed(name, parts.scales, *parts.g_idx, grid)
                          : set_runs(name, parts.scales, config.group_size, grid));
  const int64_t groups = parts.scales.dim(0), words = parts.qzeros.dim(1);
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t o = 0; o < grid.out; ++o) {
      const int stored = code_at(parts.qzeros.data<int32_t>() + g * words, 1, o, grid.bits);
      grid.zeros.push_back(
          static_cast<uint8_t>((stored + (config.zeros_less_one ? 1 : 0)) & ((1 << grid.bits) - 1)));
    }
  }
  return grid;
}

Result<AffineGrid> awq_grid(std::string_view name, const IntegerTensors& parts,
                            const QuantizationConfig& config) {
  QUERN_CHECK(check_kinds(name, parts));
  const int64_t words = parts.qweight.dim(1);
  AffineGrid grid{.out = words * kWordBits / kAwqBits,
                  .in = parts.qweight.dim(0),
                  .bits = kAwqBits,
                  .scales = parts.scales};
  if (parts.scales.dim(1) != grid.out)
    return misfit_gptq(name, "scales", fmt::format("{} columns, 8 for each of qweight's", grid.out),
                       parts.scales);
  if (parts.qzeros.dim(1) != words)
    return misfit_gptq(name, "qzeros", fmt::format("{} columns, as qweight has", words), parts.qzeros);
  QUERN_CHECK(set_runs(name, parts.scales, config.group_size, grid));
  grid.zeros.resize(static_cast<size_t>(parts.scales.numel()));
  for (int64_t w = 0; w < parts.qzeros.numel(); ++w) {
    for (int64_t n = 0; n < 8; ++n) {
      grid.zeros[static_cast<size_t>(8 * w + kAwqOutputs[n])] =
          code_at(parts.qzeros.data<int32_t>() + w, 1, n, kAwqBits);
    }
  }
  return grid;
}

// The codes of a weight as [out, in], a byte each.
std::vector<uint8_t> gptq_codes(const Tensor& qweight, const AffineGrid& grid) {
  std::vector<uint8_t> codes(static_cast<size_t>(grid.out * grid.in));
  parallel_for(grid.out, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < grid.in; ++i) {  // words of neighbouring outputs are neighbours
      for (int64_t o = begin; o < end; ++o)
        codes[static_cast<size_t>(o * grid.in + i)] =
            code_at(qweight.data<int32_t>() + o, grid.out, i, grid.bits);
    }
  });
  return codes;
}

std::vector<uint8_t> awq_codes(const Tensor& qweight, const AffineGrid& grid) {
  std::vector<uint8_t> codes(static_cast<size_t>(grid.out * grid.in));
  const int64_t words = qweight.dim(1);
  parallel_for(words, 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < grid.in; ++i) {
      for (int64_t w = begin; w < end; ++w) {
        const int32_t* word = qweight.data<int32_t>() + i * words + w;
        for (int64_t n = 0; n < 8; ++n) {
          codes[static_cast<size_t>((8 * w + kAwqOutputs[n]) * grid.in + i)] = code_at(word, 1, n, kAwqBits);
        }
      }
    }
  });
  return codes;
}

}  // namespace

Result<PackedWeight> gptq_weight(std::string_view name, const IntegerTensors& parts,
                                 const QuantizationConfig& config) {
  QUERN_TRY(AffineGrid grid, gptq_grid(name, parts, config));
  const Shape shape{grid.out, grid.in};
  const DType dtype = exact_dtype(grid);
  return PackedWeight{shape, dtype, [grid = std::move(grid), qweight = parts.qweight]() -> Result<Tensor> {
                        return decode_affine(grid, gptq_codes(qweight, grid));
                      }};
}

Result<PackedWeight> awq_weight(std::string_view name, const IntegerTensors& parts,
                                const QuantizationConfig& config) {
  QUERN_TRY(AffineGrid grid, awq_grid(name, parts, config));
  const Shape shape{grid.out, grid.in};
  const DType dtype = exact_dtype(grid);
  return PackedWeight{shape, dtype, [grid = std::move(grid), qweight = parts.qweight]() -> Result<Tensor> {
                        return decode_affine(grid, awq_codes(qweight, grid));
                      }};
}

}  // namespace quern::formats
