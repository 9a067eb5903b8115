#include "infer/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quern::infer {
namespace {

// Whatever the cut into pieces, the same text comes out, and nothing of a stop string ever does.
TEST(StopStrings, EveryCutGivesTheTextBeforeTheStop) {
  const std::string text = "one two stoSTOP three STOP";
  const std::vector<std::string> stops = {"STOP", "toS!"};
  for (size_t a = 0; a <= text.size(); ++a) {
    for (size_t b = a; b <= text.size(); ++b) {
      StopStrings filter(stops);
      std::string out = filter.push(text.substr(0, a));
      out += filter.push(text.substr(a, b - a));
      out += filter.push(text.substr(b));
      EXPECT_TRUE(filter.stopped());
      EXPECT_EQ(out, "one two sto");
    }
  }
}

TEST(StopStrings, HoldsBackOnlyWhatCouldBecomeAStop) {
  StopStrings filter({"END"});
  EXPECT_EQ(filter.push("abc"), "abc");
  EXPECT_EQ(filter.push("dE"), "d");
  EXPECT_EQ(filter.push("N"), "");
  EXPECT_EQ(filter.push("d"), "ENd");
  EXPECT_EQ(filter.push("xEN"), "x");
  EXPECT_EQ(filter.finish(), "EN");
  EXPECT_FALSE(filter.stopped());
}

TEST(StopStrings, TheEarliestOfSeveralWins) {
  StopStrings filter({"b", "ab"});
  EXPECT_EQ(filter.push("xxab"), "xx");
}

TEST(StopStrings, NoneAndEmptyPassEverything) {
  StopStrings filter({""});
  EXPECT_EQ(filter.push("hello"), "hello");
}

}  // namespace
}  // namespace quern::infer
