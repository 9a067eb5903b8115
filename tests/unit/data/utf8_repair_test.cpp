#include "data/utf8_repair.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace quern::data {
namespace {

const std::string kMark = "\xEF\xBF\xBD";

std::string repaired(std::string text) {
  repair_utf8(text);
  return text;
}

TEST(Utf8Repair, LeavesValidTextAlone) {
  for (const std::string text :
       {"", "plain", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(find_invalid_utf8(text), std::string::npos);
    EXPECT_EQ(repaired(text), text);
  }
}

// The examples of the Unicode standard, tables 3-8 to 3-11: one mark per maximal subpart.
TEST(Utf8Repair, MarksMaximalSubparts) {
  EXPECT_EQ(repaired("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            kMark + kMark + kMark + kMark + kMark + kMark + kMark + kMark + "A");
  EXPECT_EQ(repaired("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            kMark + kMark + kMark + kMark + kMark + kMark + kMark + kMark + "A");
  EXPECT_EQ(repaired("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            kMark + kMark + kMark + kMark + kMark + "A" + kMark + kMark + "B");
  EXPECT_EQ(repaired("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), kMark + kMark + kMark + kMark + "A");
}

TEST(Utf8Repair, RandomBytesBecomeValid) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed, 0);
    std::string text;
    for (size_t i = rng.below(40); i > 0; --i)
      text += static_cast<char>(rng.below(2) ? rng.below(256) : 0x70 + rng.below(0x90));
    const bool valid = find_invalid_utf8(text) == std::string::npos;
    EXPECT_EQ(repair_utf8(text) == 0, valid);
    EXPECT_EQ(find_invalid_utf8(text), std::string::npos);
  }
}

}  // namespace
}  // namespace quern::data
