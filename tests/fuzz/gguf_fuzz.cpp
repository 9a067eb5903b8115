// Any bytes given as a GGUF file are refused or described truthfully.
#include <cstdlib>

#include "formats/gguf/header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::formats;
  const auto header = parse_gguf(std::as_bytes(std::span(data, size)));
  if (!header.ok()) return 0;
  uint64_t covered = 0;
  for (const GgufTensor& tensor : header->tensors) {
    if (tensor.begin > size || tensor.bytes > size - tensor.begin) std::abort();
    const auto blocks = static_cast<uint64_t>(tensor.elements() / tensor.type->elements);
    if (blocks * static_cast<uint64_t>(tensor.type->bytes) != tensor.bytes) std::abort();
    covered += tensor.bytes;
  }
  if (covered > size) std::abort();
  size_t held = 0;
  for (const auto& [key, value] : header->metadata.entries()) {
    held += gguf_length(value);
    if (header->metadata.find(key) != &value || describe(value).empty()) std::abort();
    (void)header->metadata.get<int64_t>(key);
    (void)header->metadata.get<std::vector<double>>(key);
  }
  if (held > size) std::abort();
  return 0;
}
