#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern {
namespace {

// Expected values from the xxhsum program: printf abc | xxhsum -H2 (and -H3).
TEST(Hash, MatchesXxhsum) {
  EXPECT_EQ(hash128("abc").hex(), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(hash128("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash64("abc"), 0x78af5f94892f3950u);
  EXPECT_NE(hash64("abc", 1), hash64("abc"));
}

TEST(Hash, FilesHashAsTheirContent) {
  const test::TempDir dir;
  const std::string content((size_t{17} << 20) + 3, 'x');
  ASSERT_TRUE(write_file_atomic(dir / "x", content).ok());
  EXPECT_EQ(hash_file(dir / "x").value(), hash128(content));
  ASSERT_TRUE(write_file_atomic(dir / "empty", "").ok());
  EXPECT_EQ(hash_file(dir / "empty").value(), hash128(""));
  EXPECT_EQ(hash_file(dir / "absent").error().code, ErrorCode::not_found);
}

TEST(Hasher, KeepsPartsApart) {
  const auto of = [](std::string_view a, std::string_view b) { return Hasher().add(a).add(b).result(); };
  EXPECT_EQ(of("ab", "c"), of("ab", "c"));
  EXPECT_NE(of("ab", "c"), of("a", "bc"));
  EXPECT_NE(of("", "a"), of("a", ""));
  EXPECT_NE(Hasher().add(uint64_t{1}).result(), Hasher().add(uint64_t{256}).result());
}

}  // namespace
}  // namespace quern
