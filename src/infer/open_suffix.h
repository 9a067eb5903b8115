// Words in streamed text: what comes next may complete one that has begun.
#pragma once

#include <algorithm>
#include <string_view>

namespace quern::infer {

// How many bytes at the end of `text` begin `word`, without being all of it. Precondition: the word is not empty.
inline size_t open_suffix(std::string_view text, std::string_view word) {
  for (size_t length = std::min(text.size(), word.size() - 1); length > 0; --length) {
    if (text.ends_with(word.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace quern::infer
