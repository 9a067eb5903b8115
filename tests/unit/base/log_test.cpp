#include "base/log.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override { log::set_level(before_); }
  const log::Level before_ = log::level();
};

TEST_F(LogTest, MarksLevelAndComponent) {
  log::set_level(log::Level::debug);
  ::testing::internal::CaptureStderr();
  log::debug("a", "x {}", 1);
  log::info("train", "step {}", 2);
  log::warn("data", "{{}}");
  log::error("io", "y");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "debug [a] x 1\n[train] step 2\nwarning [data] {}\nerror [io] y\n");
}

TEST_F(LogTest, LevelSilencesWhatIsBelow) {
  log::set_level(log::Level::warn);
  ::testing::internal::CaptureStderr();
  log::info("a", "hidden");
  log::warn("a", "shown");
  log::set_level(log::Level::off);
  log::error("a", "hidden");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "warning [a] shown\n");
}

TEST_F(LogTest, LevelNames) {
  EXPECT_EQ(log::parse_level("warn").value(), log::Level::warn);
  EXPECT_FALSE(log::parse_level("loud").ok());
}

}  // namespace
}  // namespace quern
