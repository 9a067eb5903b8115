#include "store/safe_path.h"

#include <algorithm>

namespace quern::store {

bool is_safe_path(std::string_view path) {
  constexpr size_t kLongestSegment = 200, kLongestPath = 1000;
  if (path.empty() || path.size() > kLongestPath) return false;
  const auto odd = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\'; };
  if (std::ranges::any_of(path, odd)) return false;
  for (;;) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, slash);
    if (segment.empty() || segment == "." || segment == ".." || segment.size() > kLongestSegment)
      return false;
    if (slash == path.size()) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace quern::store
