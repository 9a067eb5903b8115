#include "grammar/char_set.h"

#include <gtest/gtest.h>

namespace quern::grammar {
namespace {

bool spells(const std::vector<ByteSequence>& sequences, std::string_view bytes) {
  for (const ByteSequence& sequence : sequences) {
    bool same = sequence.length == bytes.size();
    for (size_t i = 0; i < bytes.size() && same; ++i) {
      const auto byte = static_cast<uint8_t>(bytes[i]);
      same = sequence.ranges[i].first <= byte && byte <= sequence.ranges[i].last;
    }
    if (same) return true;
  }
  return false;
}

TEST(CharSet, MergesAndNegates) {
  CharSet set{{'b', 'd'}, {'a', 'b'}, {'e', 'f'}, {'x', 'z'}};
  EXPECT_EQ(set.ranges(), (std::vector<CharRange>{{'a', 'f'}, {'x', 'z'}}));
  EXPECT_EQ(set.negated().ranges(), (std::vector<CharRange>{{0, 'a' - 1}, {'g', 'w'}, {'z' + 1, kLastChar}}));
  EXPECT_EQ(set.without({{'c', 'y'}}).ranges(), (std::vector<CharRange>{{'a', 'b'}, {'z', 'z'}}));
  EXPECT_EQ(set.shared_with({{'f', 'x'}}).ranges(), (std::vector<CharRange>{{'f', 'f'}, {'x', 'x'}}));
  EXPECT_EQ(CharSet().negated().ranges(), CharSet::all().ranges());
}

TEST(CharSet, Utf8SequencesSpellExactlyTheSet) {
  const CharSet set{{'a', 0x85}, {0x7F0, 0x900}, {0xD700, 0xE0FF}, {0xFFF0, 0x10F42}, {0x10FFF0, kLastChar}};
  const std::vector<ByteSequence> sequences = utf8_of(set);
  for (char32_t c = 0; c <= kLastChar; c += c < 0x12000 || c > 0x10FF00 ? 1 : 997) {
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    std::string bytes;
    append_char(bytes, c);
    ASSERT_EQ(spells(sequences, bytes), set.contains(c) && !surrogate)
        << std::hex << static_cast<uint32_t>(c);
  }
}

TEST(CharSet, ReadsWhatItWritesAndNothingIllFormed) {
  for (const char32_t c : {U'a', U'\u00e9', U'\u20ac', U'\U0001F600', char32_t{kLastChar}}) {
    std::string bytes;
    append_char(bytes, c);
    std::string_view rest = bytes;
    EXPECT_EQ(take_char(rest), c);
    EXPECT_TRUE(rest.empty());
  }
  for (std::string_view bytes : {"\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\x80"}) {
    const size_t size = bytes.size();
    EXPECT_EQ(take_char(bytes), 0xFFFDu);
    EXPECT_EQ(bytes.size(), size - 1);
  }
}

}  // namespace
}  // namespace quern::grammar
