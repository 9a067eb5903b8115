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

TEST(Nearest, SuggestsWhatWasTypedInOtherLettersOrCutShort) {
  const std::vector<std::string> models = {"org/qwen", "smollm2-135m-instruct-q4_1", "tiny"};
  EXPECT_EQ(suggestion("SmolLM2-135M-Instruct-Q4_1", models), "did you mean 'smollm2-135m-instruct-q4_1'?");
  EXPECT_EQ(suggestion("smollm2", models), "did you mean 'smollm2-135m-instruct-q4_1'?");
  EXPECT_EQ(suggestion("smolm2-135m", models), "did you mean 'smollm2-135m-instruct-q4_1'?");
  EXPECT_EQ(suggestion("tny", models), "did you mean 'tiny'?");
  EXPECT_EQ(suggestion("sm", models), "");
  EXPECT_EQ(suggestion("llama-3", models), "");
  const std::vector<std::string> flags = {"--keep", "--temperature", "--top-k"};
  EXPECT_EQ(suggestion("--temp", flags), "did you mean '--temperature'?");
  EXPECT_EQ(suggestion("--kep", flags), "did you mean '--keep'?");
}

}  // namespace
}  // namespace quern
