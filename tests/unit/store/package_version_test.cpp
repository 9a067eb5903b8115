#include "store/package_version.h"

#include <gtest/gtest.h>

namespace quern::store {
namespace {

TEST(PackageVersion, Order) {
  // From the examples of PEP 440.
  const char* const ascending[] = {"1.0.dev456",
                                   "1.0a1",
                                   "1.0a2.dev456",
                                   "1.0a12.dev456",
                                   "1.0a12",
                                   "1.0b1.dev456",
                                   "1.0b2",
                                   "1.0b2.post345.dev456",
                                   "1.0b2.post345",
                                   "1.0rc1.dev456",
                                   "1.0rc1",
                                   "1.0",
                                   "1.0.post456.dev34",
                                   "1.0.post456",
                                   "1.1.dev1",
                                   "1.1",
                                   "1.10",
                                   "1!0.1"};
  for (size_t i = 0; i + 1 < std::size(ascending); ++i) {
    const auto a = PackageVersion::parse(ascending[i]), b = PackageVersion::parse(ascending[i + 1]);
    ASSERT_TRUE(a && b) << ascending[i];
    EXPECT_LT(*a, *b) << ascending[i] << " " << ascending[i + 1];
  }
}

TEST(PackageVersion, SpellingsOfOneVersion) {
  for (const auto& [a, b] : {std::pair{"1.0", "1.0.0"},
                             {"v1.0", "1.0"},
                             {"1.0-alpha.1", "1.0a1"},
                             {"1.0C1", "1.0rc1"},
                             {"1.0-1", "1.0.post1"},
                             {"1.0.rev2", "1.0post2"},
                             {"1.0+cpu", "1.0"},
                             {"1.0dev", "1.0.dev0"}})
    EXPECT_EQ(PackageVersion::parse(a).value(), PackageVersion::parse(b).value()) << a;
}

TEST(PackageVersion, RefusesWhatIsNone) {
  for (const char* text : {"", "x", "1.", "1.0.", "1..0", "1.0xyz", "1.0+", "1!", "9999999999999999999"})
    EXPECT_FALSE(PackageVersion::parse(text)) << text;
}

}  // namespace
}  // namespace quern::store
