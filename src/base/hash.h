// Content hashes (XXH3): fast, stable across machines, and not cryptographic. They name cached stages and
// detect change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern {

uint64_t hash64(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t hash64(std::string_view text, uint64_t seed = 0);

struct Hash128 {
  uint64_t high = 0, low = 0;
  bool operator==(const Hash128&) const = default;
  // 32 lower-case hex digits, as `xxh128sum` prints them.
  std::string hex() const;
};

Hash128 hash128(std::string_view text);
// Of the content; reads the file once, in pieces. Throws when interrupted.
Result<Hash128> hash_file(const std::filesystem::path& path);

// The hash of a sequence of parts. add() puts each part's length before it, so that ("ab", "c") and ("a",
// "bc") differ. Movable; not thread-safe.
class Hasher {
 public:
  Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  Hasher& add(std::span<const std::byte> part);
  Hasher& add(std::string_view part);
  Hasher& add(uint64_t number);
  Hasher& add(const Hash128& hash);
  Hash128 result() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quern
