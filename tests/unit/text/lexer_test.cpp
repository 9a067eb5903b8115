#include "text/lexer.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace quern::text {
namespace {

// Code points that PCRE2 (Unicode 14) and the lexers (Unicode 16) put into the same classes.
std::vector<char32_t> shared_code_points() {
  const std::pair<const char*, uint16_t> classes[] = {
      {"\\p{L}", kLetter},          {"\\p{N}", kNumber}, {"\\p{M}", kMark},        {"\\s", kSpace},
      {"[\\p{Lu}\\p{Lt}]", kUpper}, {"\\p{Ll}", kLower}, {"\\p{P}", kPunctuation}, {"\\p{S}", kSymbol}};
  std::string all;
  std::vector<uint32_t> at_byte;
  std::vector<bool> differs(0x110000, false);
  for (char32_t cp = 0; cp < 0x110000; ++cp) {
    if (cp < 0xD800 || cp >= 0xE000) append_utf8(all, cp);
  }
  for (const auto& [pattern, mask] : classes) {
    std::vector<bool> matched(0x110000, false);
    Regex::compile(pattern).value().for_each(all, {0, static_cast<uint32_t>(all.size())}, [&](Span match) {
      matched[decode_utf8(std::string_view(all).substr(match.begin)).code_point] = true;
    });
    for (char32_t cp = 0; cp < 0x110000; ++cp) {
      if (matched[cp] != ((classes_of(cp) & mask) != 0)) differs[cp] = true;
    }
  }
  std::vector<char32_t> shared;
  for (char32_t cp = 0; cp < 0x110000; ++cp) {
    if (!differs[cp] && (cp < 0xD800 || cp >= 0xE000)) shared.push_back(cp);
  }
  return shared;
}

TEST(Unicode, AgreesWithPcreOnAllButNewCharacters) {
  // Unicode 15 and 16 added about 10,000 characters; nothing else may differ but U+180E, a space to PCRE2
  // alone.
  const std::vector<char32_t> shared = shared_code_points();
  EXPECT_GT(shared.size(), 0x110000 - 2048 - 11000);
}

std::vector<std::string> random_texts(int count) {
  const std::vector<char32_t> shared = shared_code_points();
  const std::string_view common = "aAzZsStTdDmMlLvVeErR'''  \n\r\t01./-_";
  const char32_t special[] = {0x17F,  0xA0,  0x85, 0x2003, 0x3000,  0x301, 0x1C5, 0x2B0,
                              0x4E2D, 0x663, 0xBD, 0x200D, 0x1F44D, 0xDF,  0x2028};
  Rng rng(3, 0);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string text;
    const uint64_t length = rng.below(50);
    for (uint64_t j = 0; j < length; ++j) {
      const uint64_t kind = rng.below(10);
      if (kind < 6) {
        text += common[rng.below(common.size())];
      } else if (kind < 9) {
        append_utf8(text, special[rng.below(std::size(special))]);
      } else {
        append_utf8(text, shared[rng.below(shared.size())]);
      }
    }
    texts.push_back(text);
  }
  return texts;
}

TEST(Lexer, EqualsPcreOnRandomHostileText) {
  const std::vector<std::string> texts = random_texts(4000);
  for (const std::string_view pattern : known_patterns()) {
    const Lexer lexer = find_lexer(pattern);
    // Oniguruma's reading of {1,3}+, see lexer.cpp.
    std::string expression(pattern);
    if (const size_t at = expression.find("{1,3}+"); at != expression.npos) expression.replace(at, 6, "+");
    const Regex regex = Regex::compile(expression).value();
    for (const std::string& text : texts) {
      const Span whole = {0, static_cast<uint32_t>(text.size())};
      std::vector<Span> lexed, matched;
      lexer(text, whole, lexed);
      regex.for_each(text, whole, [&](Span match) { matched.push_back(match); });
      ASSERT_EQ(lexed, matched) << pattern << "\n" << testing::PrintToString(text);
    }
  }
}

TEST(Lexer, SeesNothingOutsideItsRange) {
  const std::string text = "xx it's  yy";
  for (const std::string_view pattern : known_patterns()) {
    std::vector<Span> pieces;
    find_lexer(pattern)(text, {3, 8}, pieces);
    ASSERT_FALSE(pieces.empty());
    EXPECT_EQ(pieces.front().begin, 3u);
    EXPECT_EQ(pieces.back(), (Span{7, 8}));
  }
}

TEST(Lexer, UnknownPatternsHaveNone) {
  EXPECT_EQ(find_lexer(R"(\s+)"), nullptr);
  EXPECT_EQ(find_lexer(""), nullptr);
}

TEST(Regex, WordsAreThoseOfOniguruma) {
  const std::string text =
      "a\u0301_\u2160\u24d0 \u203f! 1\u00bd \u2460-";  // marks, letter numbers, circled letters
  const auto words = [&](const char* pattern) {
    std::vector<std::string> found;
    Regex::compile(pattern).value().for_each(text, {0, static_cast<uint32_t>(text.size())}, [&](Span match) {
      found.push_back(text.substr(match.begin, match.end - match.begin));
    });
    return found;
  };
  EXPECT_EQ(words(R"(\w+)"), (std::vector<std::string>{"a\u0301_\u2160\u24d0", "\u203f", "1\u00bd"}));
  EXPECT_EQ(words(R"([\w]+)"), (std::vector<std::string>{"a\u0301_\u2160\u24d0", "\u203f", "1"}));
  EXPECT_EQ(words(R"(\W+)"), (std::vector<std::string>{" ", "! ", " \u2460-"}));
}

TEST(Regex, GivesUpOnCatastrophicPatterns) {
  const Regex regex = Regex::compile("(a+)+(?<!a)$").value();
  const std::string text(5000, 'a');
  EXPECT_THROW(regex.for_each(text, {0, 5000}, [](Span) {}), Exception);
}

TEST(Regex, NamesWhatIsWrong) {
  EXPECT_EQ(Regex::compile("a(b").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(Regex::compile("[\\p{L}&&[a-z]]").error().code, ErrorCode::unsupported);
  EXPECT_EQ(Regex::compile("\\h").error().code, ErrorCode::unsupported);
  EXPECT_EQ(Regex::compile("a{1,3}+").error().code, ErrorCode::unsupported);
  EXPECT_TRUE(Regex::compile("[{1}+]\\p{L}++\\x{41}+").ok());
}

}  // namespace
}  // namespace quern::text
