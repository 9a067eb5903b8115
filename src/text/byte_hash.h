// Hashing of short byte strings for the tables of the tokenizer.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace quern::text {

inline uint64_t load_u64(const char* p) {
  uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}
inline uint64_t load_u32(const char* p) {
  uint32_t value;
  std::memcpy(&value, p, 4);
  return value;
}

__extension__ using Uint128 = unsigned __int128;

// 64x64 -> 128 bit product, folded: every input bit reaches every output bit.
inline uint64_t mix_hash(uint64_t a, uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD1B54A32D192ED03u);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// A string of at most kLongest bytes as three words: equal words and lengths mean equal strings.
struct ShortKey {
  static constexpr size_t kLongest = 24;
  uint64_t a = 0, b = 0, c = 0;

  ShortKey() = default;
  // Precondition: text.size() <= kLongest.
  explicit ShortKey(std::string_view text) {
    const char* p = text.data();
    const size_t n = text.size();
    if (n >= 8) {
      a = load_u64(p);
      b = load_u64(p + n - 8);
      if (n > 16) c = load_u64(p + 8);
    } else if (n >= 4) {
      a = load_u32(p);
      b = load_u32(p + n - 4);
    } else if (n > 0) {
      a = static_cast<uint8_t>(p[0]) | uint64_t{static_cast<uint8_t>(p[n / 2])} << 8 |
          uint64_t{static_cast<uint8_t>(p[n - 1])} << 16;
    }
  }
  bool operator==(const ShortKey&) const = default;
  uint64_t hash(size_t length) const { return mix_hash(mix_hash(a, b), c ^ length); }
};

inline uint64_t hash_bytes(std::string_view text) {
  if (text.size() <= ShortKey::kLongest) return ShortKey(text).hash(text.size());
  uint64_t hash = text.size();
  size_t at = 0;
  for (; at + 16 <= text.size(); at += 16)
    hash = mix_hash(hash ^ load_u64(&text[at]), load_u64(&text[at + 8]));
  return mix_hash(hash ^ load_u64(&text[text.size() - 16]), load_u64(&text[text.size() - 8]));
}

}  // namespace quern::text
