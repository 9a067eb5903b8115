#include "grammar/regex.h"

#include "samples.h"

namespace quern::grammar {
namespace {

Result<GrammarPtr> compile_pattern(std::string_view pattern, bool search = false) {
  Rules rules;
  QUERN_TRY(const Expr body, parse_regex(pattern, rules, {.search = search}));
  const RuleId root = rules.add_rule("root");
  rules.define(root, body);
  return Grammar::compile(std::move(rules), root);
}
bool full(std::string_view pattern, std::string_view text) {
  return matches(compile_pattern(pattern).value(), text);
}
bool search(std::string_view pattern, std::string_view text) {
  return matches(compile_pattern(pattern, true).value(), text);
}

TEST(Regex, MatchesWholeTexts) {
  EXPECT_TRUE(full(R"(\d{4}-\d{2}-\d{2})", "2026-11-22"));
  EXPECT_FALSE(full(R"(\d{4}-\d{2}-\d{2})", "2026-11-2"));
  EXPECT_TRUE(full(R"(^(?:yes|no|(?<other>may)be)$)", "maybe"));
  EXPECT_TRUE(full(R"([\w.+-]+@[\w-]+\.[a-z]{2,}?)", "a.b+c@d-e.org"));
  EXPECT_FALSE(full(R"([^\s"]*)", "a b"));
  EXPECT_TRUE(full(R"([^\s"]*)", "aé€😀"));
  EXPECT_TRUE(full(R"(a.c)", "aéc"));
  EXPECT_FALSE(full(R"(a.c)", "a\nc"));
  EXPECT_TRUE(full(R"([\u{1F600}-\u{1F64F}]\x41\t\cJ\/)", "😀A\t\n/"));
  EXPECT_TRUE(full(R"(x{2,}{y)", "xxx{y"));
  EXPECT_TRUE(full(R"([a\-z\]]+-?)", "a-]z-"));
  EXPECT_TRUE(full("", ""));
  EXPECT_TRUE(full("(|a)b?", ""));
}

TEST(Regex, SearchesUnlessAnchored) {
  EXPECT_TRUE(search("b+", "abbc"));
  EXPECT_FALSE(search("^b+", "abbc"));
  EXPECT_TRUE(search("^ab", "abc"));
  EXPECT_FALSE(search("ab$", "abc"));
  EXPECT_TRUE(search("^a|c$", "xxc"));
  EXPECT_TRUE(search("^a|c$", "axx"));
  EXPECT_FALSE(search("^a|c$", "xax"));
  EXPECT_TRUE(search("(^a|b)x", "zbxz"));
  EXPECT_FALSE(search("(^a|b)x", "zaxz"));
  EXPECT_TRUE(search("", "anything"));
  EXPECT_FALSE(search("^$", "x"));
}

TEST(Regex, RefusesWhatItDoesNotKnow) {
  for (const auto& [pattern, part] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"(?=a)b", "look-around"},
           {"(?<!a)b", "look-around"},
           {R"((a)\1)", "backreferences"},
           {R"(\bword)", "\\b is not supported"},
           {R"(\p{L})", "\\p is not supported"},
           {"(a", "expected ')'"},
           {"a)", "unexpected ')'"},
           {"[a", "does not end"},
           {"[z-a]", "backwards"},
           {"*a", "nothing to repeat"},
           {"a**", "two quantifiers"},
           {"a{3,2}", "fewer"},
           {"a++", "two quantifiers"},
           {"a^b", "at its ends alone"},
           {"(^a)*", "cannot be repeated"},
           {"a\\", "ends in a backslash"},
           {R"(\u12)", "4 hexadecimal"},
           {R"(\u{110000})", "hexadecimal"},
           {"(?i:a)", "this kind of group"}}) {
    const auto result = compile_pattern(pattern);
    ASSERT_FALSE(result.ok()) << pattern;
    EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
  }
}

TEST(Regex, HostilePatternsAreRefusedOrHarmless) {
  EXPECT_TRUE(full("(a*)*b", std::string(500, 'a') + "b"));
  EXPECT_FALSE(full("(a|aa)+$", std::string(500, 'a') + "b"));
  EXPECT_FALSE(compile_pattern(std::string(50'000, '(')).ok());
  EXPECT_TRUE(full("a{0,1000000}", std::string(1000, 'a')));
  EXPECT_TRUE(full("(((a{1,1000}){1,1000}){1,1000}){1,1000}", "aaa"));
  EXPECT_FALSE(
      compile_pattern("[ab]*a[ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab]")
          .ok());
}

}  // namespace
}  // namespace quern::grammar
