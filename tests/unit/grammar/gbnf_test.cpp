#include "grammar/gbnf.h"

#include "samples.h"

namespace quern::grammar {
namespace {

TEST(Gbnf, StringsClassesAndRepetitions) {
  EXPECT_TRUE(matches(R"(root ::= "ab" [0-9]{2,3} 'c'? .+)", "ab12cx"));
  EXPECT_TRUE(matches(R"(root ::= "ab" [0-9]{2,3} 'c'? .+)", "ab123é"));
  EXPECT_FALSE(matches(R"(root ::= "ab" [0-9]{2,3} 'c'? .+)", "ab1cx"));
  EXPECT_TRUE(matches(R"(root ::= [^a-y\n"]*)", "zé€😀z"));
  EXPECT_FALSE(matches(R"(root ::= [^a-y\n"]*)", "zéy"));
  EXPECT_TRUE(matches(R"(root ::= [a-]* "]" [\]\-\x41\u00e9\U0001F600]{3})", "a-a]A-é"));
  EXPECT_TRUE(matches(R"(root ::= ("a" | "b" "c")* [x]{,2})", "abcaxx"));
  EXPECT_FALSE(matches(R"(root ::= ("a" | "b" "c")* [x]{,2})", "abcaxxx"));
}

TEST(Gbnf, RulesReachToTheNextName) {
  constexpr std::string_view text =
      "# arithmetic\n"
      "root ::= (expr \"=\" ws term \"\\n\")+\n"
      "expr ::= term\n  ([-+*/] term)*   # over two lines\n"
      "term ::= ident | num\n  | \"(\" ws expr \")\" ws\n"
      "ident ::= [a-z] [a-z0-9_]* ws\nnum ::= [0-9]+ ws\nws ::= [ \\t\\n]*\n";
  EXPECT_TRUE(matches(text, "x+1=(2*y1)\n1=1\n"));
  EXPECT_TRUE(matches(text, "(((x)))-( 1 )= y\n"));
  EXPECT_FALSE(matches(text, "(((x))-(1)=y\n"));
}

TEST(Gbnf, LeftAndRightRecursion) {
  for (const std::string_view text : {"root ::= list\nlist ::= item | list \",\" item\nitem ::= [a-z]+",
                                      "root ::= list\nlist ::= item | item \",\" list\nitem ::= [a-z]+",
                                      "root ::= a\na ::= b | item\nb ::= a \",\" item\nitem ::= [a-z]+"}) {
    EXPECT_TRUE(matches(text, "a")) << text;
    EXPECT_TRUE(matches(text, "ab,c,def")) << text;
    EXPECT_FALSE(matches(text, "ab,,c")) << text;
    EXPECT_FALSE(matches(text, "ab,")) << text;
  }
}

TEST(Gbnf, EmptyAlternativesAndNullableRules) {
  constexpr std::string_view text = "root ::= a b a\na ::= | \"x\" a\nb ::= c c\nc ::= [yz]?";
  for (const std::string_view yes : {"", "x", "xxyx", "xyzxx", "z"}) EXPECT_TRUE(matches(text, yes)) << yes;
  for (const std::string_view no : {"yyy", "xyxy", "a"}) EXPECT_FALSE(matches(text, no)) << no;
  EXPECT_TRUE(matches("root ::= (\"a\"*)* \"b\"", "aaab"));
  EXPECT_TRUE(matches("root ::= ((\"a\"?){3,100} \"b\"?)*", "aaabbab"));
}

struct BadText {
  std::string_view text, part;
};

class BadGbnf : public testing::TestWithParam<BadText> {};

TEST_P(BadGbnf, IsRefusedWithItsPlace) {
  const auto result = compile_gbnf(GetParam().text);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(result.error().to_string().find(GetParam().part), std::string::npos)
      << result.error().to_string();
}

INSTANTIATE_TEST_SUITE_P(
    All, BadGbnf,
    testing::Values(
        BadText{"", "no rule named 'root'"}, BadText{"start ::= \"a\"", "no rule named 'root'"},
        BadText{"root ::= \"a", "line 1, column 12: the string does not end"},
        BadText{"root ::= number\nnumbre ::= [0-9]", "line 1, column 10: rule 'number' is not defined"},
        BadText{"root ::= numbr\nnumber ::= [0-9]", "did you mean 'number'"},
        BadText{"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: rule 'root' is defined twice"},
        BadText{"root ::= [z-a]", "backwards"}, BadText{"root ::= [abc", "the class does not end"},
        BadText{"root ::= \"a\"{3,2}", "fewer than the least"},
        BadText{"root ::= \"a\"{x}", "expected repetitions"}, BadText{"root ::= (\"a\"", "expected ')'"},
        BadText{"root ::= \"a\")", "unexpected ')'"}, BadText{"root ::= \"\\q\"", "unknown escape"},
        BadText{"root ::= \"\\u12\"", "4 hexadecimal digits"},
        BadText{"root ::= <[12]>", "tokens are not supported"},
        BadText{"root ::= (=\"a\") \"a\"", "look-ahead"}, BadText{"root ::= \"a\" root", "matches no text"},
        BadText{"root ::= a\na ::= b\nb ::= a", "matches no text"},
        BadText{"what is this", "expected a rule"}));

TEST(Gbnf, HostileTextsAreRefusedOrHarmless) {
  EXPECT_FALSE(compile_gbnf("root ::= " + std::string(100'000, '(')).ok());
  EXPECT_FALSE(compile_gbnf("root ::= " + std::string(100'000, '[')).ok());
  std::string nested = "\"a\"";
  for (int i = 0; i < 150; ++i) nested = "(" + nested + ")*";
  EXPECT_TRUE(matches("root ::= " + nested, "aaaa"));
  std::string counts = "[ab]";
  for (int i = 0; i < 20; ++i) counts = "(" + counts + "){0,1000000}";
  EXPECT_TRUE(compile_gbnf("root ::= " + counts).ok());
  EXPECT_TRUE(matches("root ::= \"a\"{0,1000000}", std::string(5000, 'a')));
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 20'000; ++i) chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  EXPECT_TRUE(matches(chain + "r20000 ::= \"x\"", "x"));
  // Subsets of 2^20 states.
  const auto blown = compile_gbnf(
      "root ::= [ab]* \"a\" [ab] [ab] [ab] [ab] [ab] [ab] [ab] [ab] [ab] [ab] [ab] [ab] "
      "[ab] [ab] [ab] [ab] [ab] [ab] [ab] [ab]");
  ASSERT_FALSE(blown.ok());
  EXPECT_NE(blown.error().message.find("too large"), std::string::npos);
}

}  // namespace
}  // namespace quern::grammar
