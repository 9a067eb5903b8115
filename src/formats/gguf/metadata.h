// The metadata of a GGUF file: typed values under keys such as "llama.block_count", in the order of the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"

namespace quern::formats {

// A value is a variant whose index is the number of its type in a file, and so are the elements of an array.
// Arrays of arrays, which the specification allows but no reader supports, have no place here.
using GgufArray =
    std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                 std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>, std::vector<bool>,
                 std::vector<std::string>, std::monostate, std::vector<uint64_t>, std::vector<int64_t>,
                 std::vector<double>>;
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, GgufArray, uint64_t, int64_t, double>;

inline constexpr uint32_t kGgufTypeCount = std::variant_size_v<GgufValue>;
inline constexpr uint32_t kGgufStringType = 8;
inline constexpr uint32_t kGgufArrayType = 9;

// "u32", "string"; for a value also what it holds: "u32 7", "array of 3 string".
std::string_view gguf_type_name(uint32_t type);
std::string describe(const GgufValue& value);
// 1 for a scalar.
size_t gguf_length(const GgufValue& value);

class GgufMetadata {
 public:
  struct Entry {
    std::string key;
    GgufValue value;
  };

  // In the order of the file.
  const std::vector<Entry>& entries() const { return entries_; }
  // Null when there is none.
  const GgufValue* find(std::string_view key) const;
  // Adds the key, or replaces its value in place.
  void set(std::string key, GgufValue value);
  // No error when there is none.
  void erase(std::string_view key);

  // The value as bool, int64_t, uint64_t, double, std::string, or a vector of one of these. Integers of any
  // width serve where they fit, because writers disagree on widths; f32 and f64 serve as double. not_found
  // when the key is absent; corrupt "gguf: llama.block_count is string "x", expected an integer from 0 to
  // 2^64 - 1".
  template <class T>
  Result<T> get(std::string_view key) const;
  // The same, or `fallback` when the key is absent.
  template <class T>
  Result<T> get_or(std::string_view key, T fallback) const {
    return find(key) == nullptr ? Result<T>(std::move(fallback)) : get<T>(key);
  }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t, Hash, std::equal_to<>> index_;
};

}  // namespace quern::formats
