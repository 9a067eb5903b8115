// Environment variables, where unset and empty mean the same.
#pragma once

#include <cstdlib>
#include <string>

namespace quern::store {

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace quern::store
