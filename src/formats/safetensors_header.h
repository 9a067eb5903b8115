// The header of a safetensors file: which tensors lie where in its bytes. Knows bytes and plain structs, no
// files.
//
// A file is [u64 little-endian: N][N bytes of JSON, may end in spaces][tensor data, row-major,
// little-endian]; the JSON maps names to {dtype, shape, data_offsets} with offsets from the start of the
// data, and "__metadata__" to strings. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace quern::formats {

// Longest JSON header the format allows, in bytes.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

using SafetensorsMetadata = std::map<std::string, std::string>;

// One tensor of a file. `dtype` is empty for element types that tensors here do not have (F8_E4M3, U32, C64,
// ...): such a tensor is listed but cannot be loaded.
struct TensorEntry {
  std::string name;
  std::string_view dtype_name;  // as name_of spells it, "bf16"; of one it has not, as the format does
  std::optional<DType> dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // its bytes are [begin, end) of the file
  uint64_t end = 0;
  size_t file = 0;  // which file of an archive

  uint64_t bytes() const { return end - begin; }
  std::string describe() const;  // "F32[2, 3]"
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // sorted by name
  SafetensorsMetadata metadata;
};

// Reads the header at the start of `file`, the bytes of a whole file, which may be hostile. On success every
// entry lies inside `file`, its size is that of its shape, and the entries cover the data without gap or
// overlap. `corrupt` names the offending field with its value and limit.
Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file);

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Puts `tensors` in the order in which a file holds them: by dtype, wide elements first so that all data is
// aligned, then by name.
void sort_for_safetensors(std::vector<NamedTensor>& tensors);

// The bytes before the data of a file that holds `tensors` in this order: length, JSON, and spaces up to a
// multiple of 8. invalid_argument on a repeated, reserved or non-UTF-8 name, on a block-quantised tensor, and on
// a header longer than the format allows.
Result<std::string> format_safetensors_header(std::span<const NamedTensor> tensors,
                                              const SafetensorsMetadata& metadata);

}  // namespace quern::formats
