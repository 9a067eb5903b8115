#include "base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace quern {
namespace {

TEST(Nearest, CountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("trian", "train"), 1u);
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  EXPECT_EQ(edit_distance("train.stpes", "train.steps"), 1u);
}

TEST(Nearest, SuggestsOnlyWhatWasProbablyMeant) {
  const std::vector<std::string> verbs = {"train", "tokenizer", "data", "chat", "plan"};
  EXPECT_EQ(nearest_name("trian", verbs), "train");
  EXPECT_EQ(nearest_name("tokeniser", verbs), "tokenizer");
  EXPECT_EQ(nearest_name("dta", verbs), "data");
  EXPECT_EQ(nearest_name("cat", verbs), "chat");
  EXPECT_EQ(nearest_name("serve", verbs), "");
  EXPECT_EQ(nearest_name("x", verbs), "");
  EXPECT_EQ(nearest_name("", verbs), "");
  EXPECT_EQ(suggestion("trian", verbs), "did you mean 'train'?");
  EXPECT_EQ(suggestion("zzzzz", verbs), "");
}

}  // namespace
}  // namespace quern
