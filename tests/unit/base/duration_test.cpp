#include "base/duration.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

TEST(Duration, Parses) {
  EXPECT_EQ(parse_duration("90").value(), 90.0);
  EXPECT_EQ(parse_duration("0").value(), 0.0);
  EXPECT_EQ(parse_duration("5m").value(), 300.0);
  EXPECT_EQ(parse_duration("1h30m").value(), 5400.0);
  EXPECT_EQ(parse_duration("1.5h").value(), 5400.0);
  EXPECT_EQ(parse_duration("250ms").value(), 0.25);
  EXPECT_EQ(parse_duration("-1").value(), -1.0);
  for (const char* bad : {"", "x", "m", "5x", "1h x", "nan", "inf", "5 m"})
    EXPECT_FALSE(parse_duration(bad).ok()) << bad;
}

}  // namespace
}  // namespace quern
