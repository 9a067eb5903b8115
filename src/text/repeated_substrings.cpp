#include "text/repeated_substrings.h"

#include <divsufsort.h>
#include <fmt/format.h>

#include <new>

#include "base/exception.h"

namespace quern::text {

namespace {
constexpr char kSeparator = '\0';

bool continues_character(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// What two neighbours of the suffix array have in common, and all suffixes between them and `left`.
struct Common {
  uint32_t bytes = 0;
  uint32_t characters = 0;
  bool separated = false;  // ends with a separator
  size_t left = 0;
};

// What the suffixes at `a` and `b` begin with, in whole characters: at most `most`, up to the first separator.
Common common_prefix(std::string_view text, size_t a, size_t b, uint32_t most) {
  Common common;
  for (size_t i = 0; a + i < text.size() && b + i < text.size(); ++i) {
    const bool ends = !continues_character(text[a + i]) && !continues_character(text[b + i]);
    if (ends && i > 0) {
      common.bytes = static_cast<uint32_t>(i);
      if (++common.characters == most) return common;
    }
    if (text[a + i] != text[b + i]) return common;
    if (text[a + i] == kSeparator) {
      ++common.bytes;
      common.separated = true;
      return common;
    }
  }
  return common;
}

std::vector<int32_t> sorted_suffixes(std::string_view text) {
  std::vector<int32_t> suffixes(text.size());
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  if (divsufsort(bytes, suffixes.data(), size) != 0) throw std::bad_alloc();
  std::erase_if(suffixes, [&](int32_t at) {
    const char first = text[static_cast<size_t>(at)];
    return first == kSeparator || continues_character(first);
  });
  return suffixes;
}
}  // namespace

// Neighbours with a longer common prefix than their surroundings are an inner node of the suffix tree (Abouelhoda,
// Kurtz and Ohlebusch, 2004).
Result<std::vector<RepeatedSubstring>> find_repeated_substrings(std::string_view text,
                                                                uint32_t most_characters) {
  if (text.size() > INT32_MAX) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("distinct words of {} bytes together are too many: at most 2 GiB", text.size()),
        "train on a sample of the corpus");
  }
  std::vector<RepeatedSubstring> found;
  if (text.empty()) return found;
  const std::vector<int32_t> suffixes = sorted_suffixes(text);
  std::vector<Common> open = {{}};
  for (size_t i = 1; i <= suffixes.size(); ++i) {
    // One character more than wanted, to tell what is too long.
    Common common;
    if (i < suffixes.size()) {
      common = common_prefix(text, static_cast<size_t>(suffixes[i - 1]), static_cast<size_t>(suffixes[i]),
                             most_characters + 1);
    }
    common.left = i - 1;
    for (; open.back().bytes > common.bytes; open.pop_back()) {
      const Common& node = open.back();
      common.left = node.left;
      if (node.separated || node.characters < 2 || node.characters > most_characters) continue;
      found.push_back({static_cast<uint32_t>(suffixes[node.left]), node.bytes, node.characters,
                       static_cast<uint32_t>(i - node.left)});
    }
    if (open.back().bytes < common.bytes) open.push_back(common);
  }
  return found;
}

}  // namespace quern::text
