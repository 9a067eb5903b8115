#include "server/rate_limiter.h"

#include <gtest/gtest.h>

namespace quern::server {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class RateLimiterTest : public testing::Test {
 protected:
  RateLimiter::Verdict admit(const RateLimits& limits, std::string_view name = "a") {
    return limiter_.admit(name, limits, now_);
  }
  RateLimiter limiter_;
  RateLimiter::Clock::time_point now_ = RateLimiter::Clock::now();
};

TEST_F(RateLimiterTest, WithoutLimitsThereIsNothingToSay) {
  for (int i = 0; i < 1000; ++i) {
    const auto verdict = admit({});
    EXPECT_FALSE(verdict.refusal);
    EXPECT_TRUE(verdict.headers.empty());
  }
}

TEST_F(RateLimiterTest, RequestsRefillOverTheMinute) {
  const RateLimits limits{.requests_per_minute = 6};
  for (int i = 5; i >= 0; --i) {
    const auto verdict = admit(limits);
    ASSERT_FALSE(verdict.refusal);
    EXPECT_EQ(verdict.headers.at("x-ratelimit-limit-requests"), "6");
    EXPECT_EQ(verdict.headers.at("x-ratelimit-remaining-requests"), std::to_string(i));
  }
  const auto refused = admit(limits);
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->status, 429);
  EXPECT_EQ(refused.refusal->retry_after, 10);
  EXPECT_EQ(refused.headers.at("x-ratelimit-remaining-requests"), "0");
  EXPECT_EQ(refused.headers.at("x-ratelimit-reset-requests"), "1m0s");
  EXPECT_FALSE(admit(limits, "another").refusal);
  now_ += seconds(9);
  EXPECT_EQ(admit(limits).refusal->retry_after, 1);
  now_ += seconds(1);
  EXPECT_FALSE(admit(limits).refusal);
  EXPECT_TRUE(admit(limits).refusal);
  now_ += hours(5);
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(admit(limits).refusal);
  EXPECT_TRUE(admit(limits).refusal);
}

TEST_F(RateLimiterTest, TokensUsedBeyondTheBudgetAreWaitedFor) {
  const RateLimits limits{.tokens_per_day = 2400};  // 100 an hour
  EXPECT_EQ(admit(limits).headers.at("x-ratelimit-remaining-tokens"), "2400");
  limiter_.spend("a", limits, 2500, now_);
  const auto refused = admit(limits);
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->code, "insufficient_quota");
  EXPECT_EQ(refused.refusal->retry_after, 3636);
  now_ += hours(2);
  const auto later = admit(limits);
  EXPECT_FALSE(later.refusal);
  EXPECT_EQ(later.headers.at("x-ratelimit-remaining-tokens"), "100");
  EXPECT_EQ(later.headers.at("x-ratelimit-reset-tokens"), "23h0m0s");
}

TEST_F(RateLimiterTest, ALimitThatChangesKeepsWhatWasUsed) {
  for (int i = 0; i < 5; ++i) admit({.requests_per_minute = 6});
  EXPECT_EQ(admit({.requests_per_minute = 10}).headers.at("x-ratelimit-remaining-requests"), "4");
  EXPECT_TRUE(admit({.requests_per_minute = 3}).refusal);
  EXPECT_FALSE(admit({}).refusal);
}

TEST_F(RateLimiterTest, ManyNamesDoNotUndoALimit) {
  const RateLimits limits{.requests_per_minute = 1};
  admit(limits);
  for (int i = 0; i < 5000; ++i) admit(limits, "n" + std::to_string(i));
  EXPECT_TRUE(admit(limits).refusal);
}

}  // namespace
}  // namespace quern::server
