#include "text/byte_trie.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace quern::text {
namespace {

TEST(ByteTrie, FindsEveryPrefixThatAnEntryIs) {
  std::map<std::string, int32_t> known;
  uint32_t state = 1;
  const auto next = [&](uint32_t n) { return (state = state * 1664525 + 1013904223) >> 16 & (n - 1); };
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (uint32_t length = next(8) + 1; length > 0; --length) text.push_back("ab\0\xFF\x80zyx"[next(8)]);
    known[text] = i;
  }
  std::vector<ByteTrie::Entry> entries;
  for (const auto& [text, value] : known) entries.push_back({text, value});
  const ByteTrie trie(entries);
  for (const auto& [text, value] : known) {
    const std::string longer = text + "ab";
    uint32_t node = ByteTrie::kRoot;
    for (size_t i = 0; i < longer.size() && node != ByteTrie::kNoNode; ++i) {
      node = trie.child(node, longer[i]);
      const auto entry = known.find(longer.substr(0, i + 1));
      const int32_t expected = entry == known.end() ? ByteTrie::kNoValue : entry->second;
      EXPECT_EQ(node == ByteTrie::kNoNode ? ByteTrie::kNoValue : trie.value(node), expected);
    }
    EXPECT_EQ(trie.value(trie.walk(text)), value);
  }
}

TEST(ByteTrie, EmptyAndRepeatedEntries) {
  EXPECT_EQ(ByteTrie().walk("a"), ByteTrie::kNoNode);
  const ByteTrie trie({{"", 1}, {"a", 2}, {"a", 3}});
  EXPECT_EQ(trie.value(ByteTrie::kRoot), ByteTrie::kNoValue);
  EXPECT_EQ(trie.value(trie.walk("a")), 3);
}

}  // namespace
}  // namespace quern::text
