// The head of a GGUF file: metadata, and which tensors lie where in its bytes. Knows bytes and plain structs,
// no files.
//
// A file is: "GGUF", u32 version, u64 tensor count, u64 metadata count; the metadata; the tensor infos; zeros
// up to the alignment; the data. All little-endian. Format: docs/gguf.md of https://github.com/ggml-org/ggml
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf/metadata.h"
#include "formats/gguf/tensor_types.h"

namespace quern::formats {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr uint32_t kGgufVersion = 3;
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";
inline constexpr uint64_t kGgufDefaultAlignment = 32;
inline constexpr uint64_t kGgufMaxAlignment = uint64_t{1} << 30;
inline constexpr size_t kGgufMaxRank = 4;
inline constexpr size_t kGgufMaxName = 64;

// One tensor of a file.
struct GgufTensor {
  std::string name;
  const GgufTensorType* type = nullptr;
  std::vector<int64_t> shape;  // row-major: the last extent is the one that runs fastest, the file's first
  uint64_t begin = 0;          // its bytes are [begin, begin + bytes) of the file
  uint64_t bytes = 0;
  size_t file = 0;  // which file of a split archive

  int64_t elements() const;
  std::string describe() const;  // "Q4_K[576, 256]"
};

struct GgufHeader {
  uint32_t version = kGgufVersion;
  uint64_t alignment = kGgufDefaultAlignment;
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in the order of the file
};

// Reads the head of `file`, the bytes of a whole file, which may be hostile. On success every tensor lies
// aligned inside `file`, its size is that of its shape, no two overlap, and names and keys are unique UTF-8.
// `corrupt` names the offending field with its value and limit; `unsupported` a version, byte order or tensor
// type this cannot read. Takes versions 2 and 3. Where reference parser and specification differ, takes both.
Result<GgufHeader> parse_gguf(std::span<const std::byte> file);

// `offset` moved up to a multiple of `alignment`, a power of two.
constexpr uint64_t gguf_padded(uint64_t offset, uint64_t alignment) {
  return (offset + alignment - 1) & ~(alignment - 1);
}

}  // namespace quern::formats
