#include "text/repeated_substrings.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "text/unicode.h"

namespace quern::text {
namespace {

using Counts = std::map<std::string, uint32_t>;

Counts found_in(const std::string& text, uint32_t most) {
  Counts counts;
  const auto found = find_repeated_substrings(text, most).value();
  for (const RepeatedSubstring& s : found) counts[text.substr(s.begin, s.bytes)] = s.count;
  return counts;
}

// By looking at all substrings.
Counts expected_in(const std::string& text, uint32_t most) {
  std::vector<std::string> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t length = decode_utf8(std::string_view(text).substr(at)).length;
    characters.push_back(text.substr(at, length));
    at += length;
  }
  std::map<std::string, std::map<std::string, uint32_t>> followers;
  for (size_t begin = 0; begin < characters.size(); ++begin) {
    std::string part;
    for (size_t end = begin; end < characters.size() && end - begin < most; ++end) {
      if (characters[end][0] == '\0') break;
      part += characters[end];
      if (end > begin) ++followers[part][end + 1 < characters.size() ? characters[end + 1] : ""];
    }
  }
  Counts counts;
  for (const auto& [part, after] : followers) {
    uint32_t count = 0;
    for (const auto& [character, times] : after) count += times;
    if (after.size() > 1) counts[part] = count;
  }
  return counts;
}

TEST(RepeatedSubstrings, AreThoseThatASearchFinds) {
  using namespace std::string_literals;
  for (const std::string& text :
       {"abab\0abac\0"s, "mississippi\0miss\0"s, "aaaaaaaa\0aaab\0"s,
        "\u00e9\u00e8\u00e9\u00e9\0\u00e9\u00e8b\0"s,
        "\u65e5\u672c\u8a9e\0\u65e5\u672c\u4eba\0\u65e5\u6728\0"s, "a\0"s, ""s, "ing\0ring\0sing\0ring\0"s}) {
    for (const uint32_t most : {2u, 3u, 16u})
      EXPECT_EQ(found_in(text, most), expected_in(text, most)) << text;
  }
}

}  // namespace
}  // namespace quern::text
