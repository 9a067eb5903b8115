// Weights as bitsandbytes packs them.
//
//   NF4, FP4 (Dettmers et al. 2023, arXiv 2305.14314)  the elements of a row-major matrix in blocks: two to a byte, the
//     first in the high nibble, each an index into quant_map [16]; absmax, a scale for each block. With double
//     quantisation, absmax u8 is an index into nested_quant_map [256], scaled by nested_absmax f32 for each of its own
//     blocks, plus an offset. quant_state is JSON in bytes: blocksize, dtype, shape, nested_blocksize, nested_offset.
//   LLM.int8 (Dettmers et al. 2022, arXiv 2208.07339)  i8 [out, in] and SCB f32 [out], 127 times the scales of rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/packed/packed_weight.h"
#include "formats/safetensors_header.h"

namespace quern::formats {

struct FourBitTensors {
  Tensor weight;  // of any dtype: bytes
  Tensor absmax, quant_map;
  std::optional<Tensor> nested_absmax, nested_quant_map;  // both or none
  Tensor quant_state;
};

// NF4 stays as it is, its scales too, over the memory of the parts; FP4 and rows that are no whole blocks of 64 become the
// dtype that quant_state names. Either way the values are those that bitsandbytes computes with, bit for bit. The parts may
// be hostile: corrupt names `name`, what was expected and what is there.
Result<PackedWeight> four_bit_weight(std::string_view name, const FourBitTensors& parts);

// `weight`, a matrix in NF4, as such a file holds it: its bytes under `name`, and the parts beside them. Precondition: it has
// scales of 8 bits, and begins with the first of them.
std::vector<NamedTensor> four_bit_tensors(const std::string& name, const Tensor& weight);

// As Q8_0, which rounds the scale of a row to f16, by at most 1 in 2048; f16 where rows are not whole blocks.
Result<PackedWeight> eight_bit_weight(std::string_view name, const Tensor& weight, const Tensor& scb);

}  // namespace quern::formats
