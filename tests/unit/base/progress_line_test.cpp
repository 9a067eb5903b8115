#include "base/progress_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProgressLine, ShowsShareRateAndTimeLeft) {
  ProgressLine line("train", 1000, "steps", 0, 0.0);
  EXPECT_EQ(line.bar(200), "train [--------------------]   0% 0/1000 steps");
  line.update(100, {{"loss", 3.21456}, {"lr", 3e-4}}, 10.0);
  EXPECT_EQ(
      line.bar(200),
      "train [##------------------]  10% 100/1000 steps  10 steps/s  eta 1m 30s  loss 3.215  lr 3.00e-04");
  EXPECT_EQ(line.plain(), "train:  10% 100/1000 steps  10 steps/s  eta 1m 30s  loss 3.215  lr 3.00e-04");
  line.update(1000, {}, 20.0);
  EXPECT_THAT(line.bar(200), HasSubstr("[####################] 100%"));
  EXPECT_THAT(line.bar(200), Not(HasSubstr("eta")));
  EXPECT_EQ(line.summary("saved", 20.0),
            "train: 1000 steps in 20.0 s (50 steps/s)  loss 3.215  lr 3.00e-04  saved");
}

TEST(ProgressLine, NeverClaimsToBeDoneEarly) {
  ProgressLine line("x", 1000, "steps", 0, 0.0);
  line.update(999, {}, 1.0);
  EXPECT_THAT(line.bar(200), HasSubstr(" 99% 999/1000"));
}

TEST(ProgressLine, ResumedWorkDoesNotInflateTheRate) {
  ProgressLine line("train", 1000, "steps", 500, 0.0);
  line.update(520, {}, 2.0);
  EXPECT_DOUBLE_EQ(line.rate(), 10.0);
  EXPECT_THAT(line.summary("", 2.0), HasSubstr("(10 steps/s)"));
}

TEST(ProgressLine, FollowsAChangeOfSpeed) {
  ProgressLine line("x", 0, "items", 0, 0.0);
  for (int second = 1; second <= 20; ++second) line.update(100 * second, {}, second);
  EXPECT_NEAR(line.rate(), 100, 1e-9);
  for (int second = 1; second <= 20; ++second) line.update(2000 + 10 * second, {}, 20 + second);
  EXPECT_NEAR(line.rate(), 10, 1);
}

TEST(ProgressLine, FitsTheTerminalAndUnknownTotals) {
  ProgressLine line("download", 0, "MB", 0, 0.0);
  line.update(5000000, {}, 1.0);
  EXPECT_EQ(line.bar(200), "download 5.00M MB  5.00M MB/s");
  EXPECT_EQ(line.bar(10), "download 5");
}

}  // namespace
}  // namespace quern
