// Bytes of a file, decompressed on the way when its name ends in .gz or .zst. Memory does not grow with the
// file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"

namespace quern::data {

// Not thread-safe.
class ByteSource {
 public:
  // not_found, permission, io.
  static Result<std::unique_ptr<ByteSource>> open(const std::filesystem::path& path);
  virtual ~ByteSource() = default;

  // Bytes put into `out`, 0 at the end and only there. io, or corrupt for bad or truncated compressed data.
  virtual Result<size_t> read(std::span<char> out) = 0;
};

}  // namespace quern::data
