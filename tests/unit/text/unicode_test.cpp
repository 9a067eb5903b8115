#include "text/unicode.h"

#include <gtest/gtest.h>

namespace quern::text {
namespace {

TEST(Unicode, DecodesWhatItEncodes) {
  for (const char32_t cp :
       {0x0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    std::string text;
    append_utf8(text, cp);
    const Decoded step = decode_utf8(text);
    EXPECT_TRUE(step.valid);
    EXPECT_EQ(step.code_point, cp);
    EXPECT_EQ(step.length, text.size());
  }
}

// The example of table 3-8 of the Unicode Standard and its neighbours.
TEST(Unicode, ReplacesMaximalSubparts) {
  const std::pair<std::string, size_t> cases[] = {{"\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", 6},
                                                  {"\xC0\xAF", 2},
                                                  {"\xE0\x80\x80", 3},
                                                  {"\xED\xA0\x80", 3},
                                                  {"\xF4\x90\x80\x80", 4},
                                                  {"\xF0\x9F\x98", 1},
                                                  {"\xFF", 1},
                                                  {"a\xC3", 1},
                                                  {"\xC3\xA9", 0}};
  for (const auto& [bytes, count] : cases) {
    const Repaired repaired = repair_utf8(bytes);
    EXPECT_EQ(repaired.replacements, count) << testing::PrintToString(bytes);
    EXPECT_EQ(valid_utf8_prefix(repaired.text), repaired.text.size());
  }
}

TEST(Unicode, FindsTheFirstInvalidByte) {
  EXPECT_EQ(valid_utf8_prefix("0123456789abcdef\xE4\xBD\xA0xyz"), 22u);
  EXPECT_EQ(valid_utf8_prefix("0123456789abcdef\xE4\xBD"), 16u);
  EXPECT_EQ(valid_utf8_prefix("01234567\x80"), 8u);
}

TEST(Unicode, HoldsBackIncompleteCharacters) {
  EXPECT_EQ(incomplete_utf8_suffix("a\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xE4"), 1u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xE4\xBD\xA0"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix("\xED\xA0"), 0u);  // cannot become a character
  EXPECT_EQ(incomplete_utf8_suffix("\x80"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix(""), 0u);
}

TEST(Unicode, KnowsClasses) {
  EXPECT_EQ(classes_of('a'), kLower | kWord);
  EXPECT_EQ(classes_of(0x1C5), kUpper | kWord);
  EXPECT_EQ(classes_of(0x301), kMark | kWord);
  EXPECT_EQ(classes_of(0xBD), kNumber);
  EXPECT_EQ(classes_of(0x24B6), kSymbol | kWord);
  EXPECT_EQ(classes_of(0x200D), kWord);
  for (const char32_t space : {0x9u, 0x20u, 0x85u, 0xA0u, 0x1680u, 0x2028u, 0x3000u})
    EXPECT_TRUE(is_space(space));
  for (const char32_t other : {0x180Eu, 0x200Bu, 0xFEFFu, 0x1Cu}) EXPECT_FALSE(is_space(other));
  // The table for ASCII says what the large one says.
  for (char32_t cp = 0; cp < 128; ++cp)
    EXPECT_EQ(classes_of(cp), detail::kClassOfCategory[detail::category_table().at(cp)])
        << static_cast<uint32_t>(cp);
}

TEST(Unicode, Normalises) {
  EXPECT_EQ(normalize("e\u0301", NormalForm::nfc), "\u00e9");
  EXPECT_EQ(normalize("\u00e9", NormalForm::nfd), "e\u0301");
  EXPECT_EQ(normalize("\ufb01", NormalForm::nfkc), "fi");
  EXPECT_EQ(normalize("\ufb01", NormalForm::nfc), "\ufb01");
  std::string lower;
  append_lowercase(lower, 0x130);
  append_lowercase(lower, 'A');
  EXPECT_EQ(lower, "i\u0307a");
}

}  // namespace
}  // namespace quern::text
