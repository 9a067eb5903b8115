#include "base/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern {
namespace {

TEST(Units, ShowsThreeDigits) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.00 KiB");
  EXPECT_EQ(human_bytes(1536 * 1024), "1.50 MiB");
  EXPECT_EQ(human_bytes(uint64_t{999} << 20), "999 MiB");
  EXPECT_EQ(human_bytes(uint64_t{1023} << 20), "1.00 GiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16384 PiB");
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(950), "950");
  EXPECT_EQ(human_count(0.25), "0.25");
  EXPECT_EQ(human_count(999.6), "1.00k");
  EXPECT_EQ(human_count(124439808), "124M");
  EXPECT_EQ(human_count(-12345), "-12.3k");
}

TEST(Units, ShowsDurations) {
  EXPECT_EQ(human_duration(25e-6), "25 us");
  EXPECT_EQ(human_duration(0.25), "250 ms");
  EXPECT_EQ(human_duration(0.9999), "1.0 s");
  EXPECT_EQ(human_duration(59.96), "1m 00s");
  EXPECT_EQ(human_duration(245), "4m 05s");
  EXPECT_EQ(human_duration(3599.6), "1h 00m");
  EXPECT_EQ(human_duration(273600), "3d 4h");
  EXPECT_EQ(human_duration(-1), "?");
  EXPECT_EQ(human_duration(1e30), "for ever");
}

TEST(Units, ParsesSizesAndCounts) {
  EXPECT_EQ(parse_bytes("4GiB").value(), uint64_t{4} << 30);
  EXPECT_EQ(parse_bytes("1.5 MB").value(), 1500000u);
  EXPECT_EQ(parse_bytes("512").value(), 512u);
  EXPECT_EQ(parse_count("1e9").value(), 1000000000u);
  EXPECT_EQ(parse_count("1.5G").value(), 1500000000u);
  EXPECT_EQ(parse_count("300k").value(), 300000u);
  for (const char* bad : {"", "x", "-1", "1.5", "4XB", "nan", "inf", "1e300", "4GiB2"}) {
    const auto result = parse_bytes(bad);
    EXPECT_FALSE(result.ok()) << bad;
  }
  EXPECT_THAT(parse_bytes("4XB").error().message, ::testing::HasSubstr("unknown unit 'XB'"));
}

}  // namespace
}  // namespace quern
