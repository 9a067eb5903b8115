// Puts together the bytes of a GGUF file, well-formed or not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::formats {

struct GgufBytes {
  std::string text;

  template <class T>
  GgufBytes& number(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  GgufBytes& string(std::string_view value) {
    number<uint64_t>(value.size());
    text += value;
    return *this;
  }
  GgufBytes& head(uint64_t tensors, uint64_t entries, uint32_t version = 3) {
    text += "GGUF";
    return number(version).number(tensors).number(entries);
  }
  // A metadata entry up to its value.
  GgufBytes& key(std::string_view name, uint32_t type) { return string(name).number(type); }
  GgufBytes& array(std::string_view name, uint32_t element_type, uint64_t count) {
    return key(name, 9).number(element_type).number(count);
  }
  // Extents as a file has them: the fastest first.
  GgufBytes& tensor(std::string_view name, const std::vector<uint64_t>& extents, uint32_t type,
                    uint64_t offset) {
    string(name).number(static_cast<uint32_t>(extents.size()));
    for (const uint64_t extent : extents) number(extent);
    return number(type).number(offset);
  }
  // Zeros up to the alignment, then `size` bytes of data.
  GgufBytes& data(size_t size, size_t alignment = 32) {
    text.resize((text.size() + alignment - 1) / alignment * alignment + size);
    return *this;
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(text)); }
};

}  // namespace quern::formats
