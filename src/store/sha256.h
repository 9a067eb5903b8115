// SHA-256 (FIPS 180-4), by which sources publish what a file must hold.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern::store {

// Movable; not thread-safe.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  // 64 lower-case hex digits of everything so far; more may follow.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of the content, read once; cancelled on Ctrl-C.
Result<std::string> sha256_of_file(const std::filesystem::path& path);

// True for 64 hex digits of either case.
bool is_sha256(std::string_view text);

}  // namespace quern::store
