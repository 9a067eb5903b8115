#pragma once

#include <span>
#include <string>

#include "store/sha256.h"

namespace quern::test {

// In hexadecimal digits.
inline std::string sha256_of(const std::string& text) {
  store::Sha256 hash;
  hash.update(std::as_bytes(std::span(text)));
  return hash.hex();
}

}  // namespace quern::test
