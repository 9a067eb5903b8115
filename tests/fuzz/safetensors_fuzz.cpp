// Any bytes given as a safetensors file are refused or described truthfully.
#include <cstdlib>

#include "formats/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto header = quern::formats::parse_safetensors(std::as_bytes(std::span(data, size)));
  if (!header.ok()) return 0;
  uint64_t covered = 0;
  for (const auto& entry : header->entries) {
    if (entry.begin > entry.end || entry.end > size) std::abort();
    covered += entry.bytes();
    if (entry.dtype) {
      uint64_t elements = 1;
      for (int64_t extent : entry.shape) elements *= static_cast<uint64_t>(extent);
      if (elements * static_cast<uint64_t>(quern::size_of(*entry.dtype)) != entry.bytes()) std::abort();
    }
  }
  if (covered > size) std::abort();
  return 0;
}
