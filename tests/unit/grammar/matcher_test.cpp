#include "grammar/matcher.h"

#include <functional>

#include "samples.h"

namespace quern::grammar {
namespace {

// Sentences by chance, from a grammar of random rules over few letters, with every kind of expression.
std::string random_gbnf(Rng& rng) {
  const uint64_t rules = 1 + rng.below(4);
  const auto name = [&](uint64_t i) { return i == 0 ? std::string("root") : "r" + std::to_string(i); };
  const std::function<std::string(int)> expression = [&](int depth) -> std::string {
    switch (rng.below(depth > 0 ? 9 : 3)) {
      case 0:
        return std::string("\"") + "abc"[rng.below(3)] + "abc"[rng.below(3)] + "\"";
      case 1:
        return std::string("[") + "abc"[rng.below(3)] + "abc"[rng.below(3)] + "]";
      case 2:
        return name(rng.below(rules));
      case 3:
        return "(" + expression(depth - 1) + " | " + expression(depth - 1) + ")";
      case 4:
        return "(" + expression(depth - 1) + ")" + "*+?"[rng.below(3)];
      case 5:
        return "(" + expression(depth - 1) + "){" + std::to_string(rng.below(3)) + "," +
               std::to_string(3 + rng.below(60)) + "}";
      case 6:
        return "(" + expression(depth - 1) + "){" + std::to_string(rng.below(40)) + ",}";
      default:
        return expression(depth - 1) + " " + expression(depth - 1);
    }
  };
  std::string text;
  for (uint64_t i = 0; i < rules; ++i) text += name(i) + " ::= " + expression(3) + " | \"c\"\n";
  return text;
}

// Ambiguous ones among them end at these.
constexpr Limits kSmall{.items = 60, .byte_work = 5'000, .mask_work = 200'000};

TEST(Matcher, AcceptsWholeOrNothing) {
  Matcher matcher(compile_gbnf("root ::= \"abc\" [0-9]+").value());
  EXPECT_TRUE(matcher.accept("ab"));
  EXPECT_FALSE(matcher.accept("cd"));
  EXPECT_FALSE(matcher.can_end());
  EXPECT_TRUE(matcher.accept("c1"));
  EXPECT_TRUE(matcher.can_end());
  EXPECT_FALSE(matcher.is_complete());
  EXPECT_TRUE(matcher.accept("23"));
  EXPECT_EQ(matcher.length(), 6u);
  matcher.rollback(2);
  EXPECT_EQ(matcher.length(), 2u);
  EXPECT_TRUE(matcher.accept(""));
  EXPECT_TRUE(matcher.accept("c"));
}

TEST(Matcher, ForcedBytesAreWhatMustCome) {
  Matcher matcher(compile_gbnf("root ::= \"{\" \"\\\"name\\\": \\\"\" [a-z]+ \"\\\"}\"").value());
  EXPECT_EQ(matcher.forced_bytes(), "{\"name\": \"");
  EXPECT_EQ(matcher.forced_bytes(3), "{\"n");
  EXPECT_TRUE(matcher.accept("{\"name\": \""));
  EXPECT_EQ(matcher.forced_bytes(), "");
  EXPECT_TRUE(matcher.accept("x\""));
  EXPECT_EQ(matcher.forced_bytes(), "}");
  EXPECT_TRUE(matcher.accept("}"));
  EXPECT_TRUE(matcher.is_complete());
  // Characters that begin with the same bytes.
  EXPECT_EQ(Matcher(compile_gbnf("root ::= [é-í]").value()).forced_bytes(), "\xC3");
}

TEST(Matcher, CopiesAreIndependent) {
  Matcher matcher(compile_gbnf("root ::= \"a\" (\"b\" | \"c\" \"d\")").value());
  ASSERT_TRUE(matcher.accept("a"));
  Matcher copy = matcher;
  EXPECT_TRUE(copy.accept("cd"));
  EXPECT_TRUE(matcher.accept("b"));
  EXPECT_FALSE(copy.accept("b"));
  EXPECT_TRUE(copy.can_end());
}

// However a text is cut, and whatever was tried and taken back between, the answer is the same.
TEST(Matcher, SplitsAndRollbacksDoNotMatter) {
  Rng rng(7, 0);
  int accepted = 0;
  for (int round = 0; round < 150; ++round) {
    const auto grammar = compile_gbnf(random_gbnf(rng), kSmall);
    if (!grammar.ok()) continue;
    for (int sample = 0; sample < 5; ++sample) {
      std::string text;
      Matcher walker(*grammar), cut(*grammar);
      for (int i = 0; i < 30; ++i) {
        const char c = "abc"[rng.below(3)];
        if (walker.accept(std::string_view(&c, 1))) text += c;
      }
      if (walker.exhausted()) break;
      for (size_t i = 0; i < text.size();) {
        const size_t length = 1 + rng.below(text.size() - i);
        ASSERT_TRUE(cut.accept(text.substr(i, length)));
        if (rng.below(2) == 0) {
          cut.rollback(1);
        } else {
          i += length;
        }
      }
      Matcher whole(*grammar);
      ASSERT_TRUE(whole.accept(text));
      EXPECT_EQ(whole.can_end(), walker.can_end());
      EXPECT_EQ(cut.can_end(), walker.can_end());
      accepted += text.size() > 5;
    }
  }
  EXPECT_GT(accepted, 200);
}

TEST(Matcher, AmbiguityCostsLittle) {
  // 2^n and more readings.
  const auto parens = compile_gbnf("root ::= s\ns ::= \"(\" s | \"(\" s \")\" | \"\"").value();
  EXPECT_TRUE(matches(parens, std::string(200, '(') + std::string(150, ')')));
  EXPECT_FALSE(matches(parens, std::string(200, '(') + std::string(201, ')')));
  const auto both = compile_gbnf("root ::= s\ns ::= s s | \"a\" | \"b\"").value();
  EXPECT_TRUE(matches(both, std::string(100, 'a')));
}

TEST(Matcher, RightRecursionNeedsNoStack) {
  const auto grammar =
      compile_gbnf("root ::= list\nlist ::= item | item \",\" list\nitem ::= [a-z]+ | \"(\" list \")\"")
          .value();
  Matcher matcher(grammar);
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(matcher.accept("a,"));
  ASSERT_TRUE(matcher.accept("((a),b"));
  EXPECT_FALSE(matcher.can_end());
  ASSERT_TRUE(matcher.accept(")"));
  EXPECT_TRUE(matcher.can_end());
}

TEST(Matcher, StopsAtItsLimits) {
  Limits limits;
  limits.items = 50;
  Matcher ambiguous(compile_gbnf("root ::= s\ns ::= s s | \"a\"", limits).value());
  for (int i = 0; i < 200 && ambiguous.accept("a"); ++i) continue;
  EXPECT_TRUE(ambiguous.exhausted());
  EXPECT_FALSE(ambiguous.accept("a"));
  limits.records = 1000;
  Matcher deep(compile_gbnf("root ::= \"[\" root? \"]\"", limits).value());
  for (int i = 0; i < 5000 && deep.accept("["); ++i) continue;
  EXPECT_TRUE(deep.exhausted());
}

// Masks are those of trying every token, for random grammars, vocabularies and texts; also where grammars share what they have
// alike.
TEST(Matcher, MasksEqualTryingEveryToken) {
  Rng rng(11, 0);
  int compared = 0, allowed = 0;
  std::shared_ptr<const Vocabulary> vocabulary;
  std::shared_ptr<SharedMasks> shared;
  for (int round = 0; round < 250; ++round) {
    if (round % 25 == 0) {
      vocabulary = random_vocabulary(rng, "abc", 60);
      shared = std::make_shared<SharedMasks>();
    }
    const auto grammar = compile_gbnf(random_gbnf(rng), kSmall);
    if (!grammar.ok()) continue;
    const auto masks = std::make_shared<TokenMasks>(*grammar, vocabulary, shared);
    for (int sample = 0; sample < 4; ++sample) {
      Matcher matcher(masks);
      for (int step = 0; step < 12; ++step) {
        std::vector<uint64_t> bits(vocabulary->mask_words());
        if (!matcher.fill_mask(bits).ok()) break;  // too ambiguous
        const std::vector<uint64_t> expected = slow_mask(matcher, *vocabulary);
        if (expected.empty()) break;
        ASSERT_EQ(ids_of(bits), ids_of(expected)) << "round " << round << " step " << step;
        const std::vector<TokenId> ids = ids_of(bits);
        ++compared;
        allowed += static_cast<int>(ids.size());
        if (ids.empty()) break;
        ASSERT_TRUE(matcher.accept_token(ids[rng.below(ids.size())]));
        if (rng.below(8) == 0) matcher.rollback(1);
      }
    }
  }
  EXPECT_GT(compared, 3000);
  EXPECT_GT(allowed, 20'000);
}

TEST(Matcher, EndTokensOnlyWhereTheTextCanEnd) {
  const std::vector<std::string> spellings{"a", "b", "", "ab"};
  const auto vocabulary = std::make_shared<const Vocabulary>(spellings, std::vector<TokenId>{2});
  const auto masks = std::make_shared<TokenMasks>(compile_gbnf("root ::= \"a\" \"b\"*").value(), vocabulary);
  Matcher matcher(masks);
  EXPECT_EQ(ids_of(mask_of(matcher, *vocabulary)), (std::vector<TokenId>{0, 3}));
  EXPECT_FALSE(matcher.accept_token(2));
  EXPECT_TRUE(matcher.accept_token(3));
  EXPECT_EQ(ids_of(mask_of(matcher, *vocabulary)), (std::vector<TokenId>{1, 2}));
  EXPECT_TRUE(matcher.accept_token(2));
  EXPECT_TRUE(matcher.is_complete());
  EXPECT_TRUE(ids_of(mask_of(matcher, *vocabulary)).empty());
  EXPECT_FALSE(matcher.accept_token(1));
  matcher.rollback(1);
  EXPECT_TRUE(matcher.accept_token(1));
  EXPECT_FALSE(matcher.accept_token(99));
  EXPECT_FALSE(matcher.accept_token(-1));
}

}  // namespace
}  // namespace quern::grammar
