// Weights as GPTQ (Frantar et al. 2022, arXiv 2210.17323) and AWQ (Lin et al. 2023, arXiv 2306.00978) checkpoints pack
// them. Codes lie as little-endian streams of bits in words of 32.
//
//   GPTQ  qweight i32 [in * bits / 32, out], a stream down each column; qzeros i32 [groups, out * bits / 32], a stream
//         along each row; scales [groups, out]; g_idx i32 [in], the group of each input. bits 2, 3, 4 or 8, which
//         the shapes tell. The first version of the format stores zero points less 1.
//   AWQ   ("gemm") qweight i32 [in, out / 8]: nibble n of word c is that of output 8c + (0, 2, 4, 6, 1, 3, 5, 7)[n];
//         qzeros i32 [groups, out / 8] alike; scales [groups, out]. Groups are runs of inputs.
#pragma once

#include <optional>
#include <string_view>

#include "formats/packed/packed_weight.h"
#include "formats/packed/quantization_config.h"

namespace quern::formats {

struct IntegerTensors {
  Tensor qweight, qzeros, scales;
  std::optional<Tensor> g_idx;  // GPTQ; without it, groups are runs of group_size inputs
};

// The weight [out, in] of `parts`, which may be hostile: corrupt names `name`, what was expected and what is there.
Result<PackedWeight> gptq_weight(std::string_view name, const IntegerTensors& parts,
                                 const QuantizationConfig& config);
Result<PackedWeight> awq_weight(std::string_view name, const IntegerTensors& parts,
                                const QuantizationConfig& config);

}  // namespace quern::formats
