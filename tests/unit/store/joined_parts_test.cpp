#include "store/joined_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "store/sha256.h"
#include "support/temp_dir.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

class JoinedParts : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << content;
  }
  test::TempDir folder_;
};

TEST_F(JoinedParts, InTheOrderOfTheirNumbers) {
  write("p1/data/m.gguf.part00", "GG");
  write("p2/data/m.gguf.part01", "UF");
  write("p2/data/m.gguf.part2", "!");
  write("sum", "GGUF!");
  write("meta/SHA256SUMS", sha256_of_file(folder_ / "sum").value() + "  m.gguf\nnonsense\n");
  ASSERT_TRUE(join_parts(folder_.path()).ok());
  EXPECT_EQ(read_file(folder_ / "m.gguf").value(), "GGUF!");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "p1/data/m.gguf.part00"));
}

TEST_F(JoinedParts, AWrongChecksumGivesNothing) {
  write("m.gguf.part1", "GGUF");
  write("SHA256SUMS", std::string(64, 'a') + " *m.gguf\r\n");
  const Result<void> joined = join_parts(folder_.path());
  ASSERT_FALSE(joined.ok());
  EXPECT_THAT(joined.error().message, HasSubstr("expected SHA-256 aaaa"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "m.gguf"));
}

TEST_F(JoinedParts, GapsAndDoubles) {
  write("m.gguf.part00", "a");
  write("m.gguf.part02", "c");
  EXPECT_THAT(join_parts(folder_.path()).error().message, HasSubstr("part 1 is missing"));
  const test::TempDir other;
  std::ofstream(other / "m.part3") << "x";
  EXPECT_THAT(join_parts(other.path()).error().message, HasSubstr("first part"));
  std::filesystem::create_directories(other / "x");
  std::ofstream(other / "m.part03") << "y";
  EXPECT_THAT(join_parts(other.path()).error().message, HasSubstr("twice"));
}

TEST_F(JoinedParts, Names) {
  for (const char* name : {"m.gguf.part00", "a/b.part1", "SHA256SUMS"})
    EXPECT_TRUE(is_part_file(name)) << name;
  for (const char* name : {"m.part", "m.partial", ".part1", "m.part1x", "part1"})
    EXPECT_FALSE(is_part_file(name)) << name;
}

}  // namespace
}  // namespace quern::store
