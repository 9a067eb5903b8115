#include "grammar/grammar_cache.h"

#include <gtest/gtest.h>

#include "grammar/matcher.h"

namespace quern::grammar {
namespace {

TEST(GrammarCache, KeepsTheLastUsed) {
  const std::vector<std::string> spellings{"a", "b"};
  GrammarCache cache(std::make_shared<const Vocabulary>(spellings, std::vector<TokenId>{}), 2);
  const Constraint a{Constraint::Kind::regex, "a"}, b{Constraint::Kind::gbnf, "root ::= \"b\""},
      c{Constraint::Kind::json_object};
  const auto first = cache.get(a).value();
  EXPECT_EQ(cache.get(a).value(), first);
  const auto second = cache.get(b).value();
  EXPECT_EQ(cache.get(a).value(), first);
  (void)cache.get(c).value();  // b was used longest ago
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.get(a).value(), first);
  EXPECT_NE(cache.get(b).value(), second);
  EXPECT_FALSE(cache.get({Constraint::Kind::regex, "("}).ok());
  EXPECT_EQ(cache.size(), 2u);
}

TEST(GrammarCache, SpacesAreAnotherConstraint) {
  const auto spaced = compile({Constraint::Kind::json_schema, "{\"type\": \"array\"}"}).value();
  const auto tight =
      compile({Constraint::Kind::json_schema, "{\"type\": \"array\"}", JsonSpace::none}).value();
  EXPECT_TRUE(Matcher(spaced).accept("[1, 2]"));
  EXPECT_FALSE(Matcher(tight).accept("[1, 2]"));
  EXPECT_TRUE(Matcher(tight).accept("[1,2]"));
}

}  // namespace
}  // namespace quern::grammar
