// The wire format of protocol buffers, as far as reading a message needs it. Safe for hostile bytes: every length is
// checked against what remains.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace quern::text {

// One field of a message: its number and, by its wire type, a number or bytes.
struct WireField {
  uint32_t number = 0;
  uint64_t value = 0;      // varint and fixed fields
  std::string_view bytes;  // length-delimited fields
  float as_float() const { return std::bit_cast<float>(static_cast<uint32_t>(value)); }
};

class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // The next field; nothing at the end of the message or at what is no field: then ok() tells which.
  std::optional<WireField> next() {
    if (rest_.empty()) return std::nullopt;
    WireField field;
    const uint64_t key = varint();
    field.number = static_cast<uint32_t>(key >> 3);
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed(8);
        break;
      case 2: {
        const uint64_t length = varint();
        field.bytes = take(length);
        break;
      }
      case 5:
        field.value = fixed(4);
        break;
      default:
        ok_ = false;
    }
    return ok_ ? std::optional(field) : std::nullopt;
  }
  bool ok() const { return ok_; }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view take(uint64_t length) {
    ok_ = ok_ && length <= rest_.size();
    if (!ok_) return {};
    const std::string_view bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return bytes;
  }
  uint64_t fixed(size_t size) {
    uint64_t value = 0;
    const std::string_view bytes = take(size);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace quern::text
