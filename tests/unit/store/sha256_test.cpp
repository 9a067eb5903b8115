#include "store/sha256.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::store {
namespace {

constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // FIPS 180-4

TEST(Sha256, AgreesWithTheStandard) {
  Sha256 hash;
  EXPECT_EQ(hash.hex(), kEmpty);
  hash.update(std::as_bytes(std::span(std::string_view("a"))));
  (void)hash.hex();  // asking does not end it
  hash.update(std::as_bytes(std::span(std::string_view("bc"))));
  EXPECT_EQ(hash.hex(), kAbc);
}

TEST(Sha256, OfFiles) {
  const test::TempDir folder;
  ASSERT_TRUE(write_file_atomic(folder / "abc", std::string_view("abc")).ok());
  ASSERT_TRUE(write_file_atomic(folder / "empty", std::string_view()).ok());
  EXPECT_EQ(sha256_of_file(folder / "abc").value(), kAbc);
  EXPECT_EQ(sha256_of_file(folder / "empty").value(), kEmpty);
  EXPECT_EQ(sha256_of_file(folder / "missing").error().code, ErrorCode::not_found);
}

TEST(Sha256, KnowsItsForm) {
  EXPECT_TRUE(is_sha256(kAbc));
  EXPECT_FALSE(is_sha256(std::string(63, 'a')));
  EXPECT_FALSE(is_sha256(std::string(64, 'g')));
}

}  // namespace
}  // namespace quern::store
