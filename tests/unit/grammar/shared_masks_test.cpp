#include "grammar/shared_masks.h"

#include <algorithm>

#include "samples.h"

namespace quern::grammar {
namespace {

// Rules of two grammars that have one key.
size_t alike(std::string_view first, std::string_view second) {
  SharedMasks shared;
  const auto a = shared.keys_of(*compile_gbnf(first).value()),
             b = shared.keys_of(*compile_gbnf(second).value());
  return static_cast<size_t>(std::ranges::count_if(a, [&](SharedMasks::RuleKey key) {
    return key != SharedMasks::kNone && std::ranges::find(b, key) != b.end();
  }));
}

// Too large to be copied into its callers.
constexpr std::string_view kWord = "\nword ::= \"<beginning>\" [a-z]* \"<end>\"";

TEST(SharedMasks, ARuleIsTheSameInAnyGrammar) {
  EXPECT_EQ(alike("root ::= \"a\" word \"b\" word \"b\"" + std::string(kWord),
                  "root ::= (\"long before\" word \"b\")+" + std::string(kWord)),
            1u);
}

TEST(SharedMasks, HowOftenItTurnsDoesNotMatter) {
  EXPECT_EQ(alike("root ::= \"<\" ([a-z] [0-9]){3,70} \">\"", "root ::= \"<<\" ([a-z] [0-9]){0,100} \">\""),
            1u);
}

TEST(SharedMasks, WhatFollowsMatters) {
  EXPECT_EQ(alike("root ::= \"a\" word \"b\" word \"b\"" + std::string(kWord),
                  "root ::= \"a\" word \"c\" word \"c\"" + std::string(kWord)),
            0u);
}

TEST(SharedMasks, WhatItCallsMatters) {
  const std::string pair = "root ::= (\"a\" (word | word word) \"b\")+";
  EXPECT_EQ(alike(pair + std::string(kWord), pair + std::string(kWord)), 2u);
  EXPECT_EQ(alike(pair + std::string(kWord), pair + "\nword ::= \"<beginning>\" [a-y]* \"<end>\""), 0u);
}

TEST(SharedMasks, RulesThatComeBackToThemselvesHaveNone) {
  const auto grammar = compile_gbnf("root ::= list\nlist ::= \"[\" (list (\",\" list)*)? \"]\"").value();
  for (const SharedMasks::RuleKey key : SharedMasks().keys_of(*grammar)) EXPECT_EQ(key, SharedMasks::kNone);
}

TEST(SharedMasks, KeepsWhatItIsGiven) {
  SharedMasks shared;
  EXPECT_EQ(shared.find(7, 0), nullptr);
  const auto mask = std::make_shared<const StateMask>();
  shared.keep(7, 2, mask);
  EXPECT_EQ(shared.find(7, 2), mask);
  EXPECT_EQ(shared.find(7, 1), nullptr);
}

}  // namespace
}  // namespace quern::grammar
