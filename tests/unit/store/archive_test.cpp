#include "store/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "make_archive.h"
#include "store/safe_path.h"
#include "support/temp_dir.h"

namespace quern::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class ArchiveTest : public ::testing::TestWithParam<ArchiveKind> {
 protected:
  Result<std::vector<std::string>> run(const std::vector<Entry>& entries, const UnpackLimits& limits = {}) {
    make_archive(folder_ / "a", entries, GetParam());
    return unpack(
        folder_ / "a", target(), [](std::string_view name) { return name.ends_with(".gguf"); }, limits);
  }
  std::filesystem::path target() const { return folder_ / "out"; }
  // Everything in the test's folder except the archive.
  std::vector<std::string> written() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (!entry.is_directory() && entry.path().filename() != "a")
        names.push_back(entry.path().lexically_relative(folder_.path()).string());
    }
    return names;
  }
  test::TempDir folder_;
};

TEST_P(ArchiveTest, TakesWhatIsWanted) {
  const std::string big(3 << 20, 'x');
  EXPECT_THAT(
      run({{"./p/m.gguf", big, "", ""}, {"p/code.py", "evil()", "", ""}, {"n.gguf", "", "", ""}}).value(),
      ElementsAre("p/m.gguf", "n.gguf"));
  EXPECT_EQ(read_file(target() / "p/m.gguf").value(), big);
  EXPECT_THAT(written(), UnorderedElementsAre("out/p/m.gguf", "out/n.gguf"));
}

TEST_P(ArchiveTest, NothingLeadsOutside) {
  for (const char* name : {"../evil.gguf", "/tmp/quern_evil.gguf", "a/../../evil.gguf", "a//b.gguf",
                           "..\\evil.gguf", "a/./b.gguf", "../other.txt"}) {
    const auto result = run({{name, "x", "", ""}});
    // Writers of archives may tidy a name; what is then unpacked lies inside.
    if (!result.ok()) {
      EXPECT_EQ(result.error().code, ErrorCode::corrupt) << name;
    }
    for (const std::string& file : written()) EXPECT_TRUE(file.starts_with("out/")) << name << ": " << file;
    std::filesystem::remove_all(target());
  }
  EXPECT_FALSE(std::filesystem::exists("/tmp/quern_evil.gguf"));
  EXPECT_FALSE(run({{"../evil.gguf", "x", "", ""}}).ok());
}

TEST_P(ArchiveTest, LinksAreNotMade) {
  const auto result =
      run({{"l.gguf", "", "/etc/passwd", ""}, {"d", "", "/tmp", ""}, {"d/m.gguf", "x", "", ""}});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_THAT(*result, ElementsAre("d/m.gguf"));
  EXPECT_TRUE(std::filesystem::is_directory(target() / "d"));
  EXPECT_FALSE(std::filesystem::is_symlink(target() / "d"));
}

TEST_P(ArchiveTest, LimitsHold) {
  EXPECT_THAT(run({{"m.gguf", std::string(2 << 20, 'x'), "", ""}}, {.bytes = 1 << 20}).error().message,
              HasSubstr("1.00 MiB"));
  std::filesystem::remove_all(target());
  EXPECT_FALSE(run({{"a", "", "", ""}, {"b", "", "", ""}, {"c", "", "", ""}}, {.entries = 2}).ok());
  EXPECT_LT(limits_for(1000).bytes, uint64_t{1} << 30);
}

TEST_P(ArchiveTest, DamagedOnesAreRefused) {
  EXPECT_TRUE(run({{"m.gguf", std::string(5000, 'x') + std::string(5000, 'y'), "", ""}}).ok());
  std::string bytes = read_file(folder_ / "a").value();
  std::filesystem::remove_all(target());
  std::ofstream(folder_ / "a") << bytes.substr(0, bytes.size() / 2);
  const auto all = [](std::string_view) { return true; };
  EXPECT_EQ(unpack(folder_ / "a", target(), all, {}).error().code, ErrorCode::corrupt);
  std::filesystem::remove_all(target());
  std::ofstream(folder_ / "a") << "no archive at all";
  EXPECT_EQ(unpack(folder_ / "a", target(), all, {}).error().code, ErrorCode::corrupt);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ArchiveTest, ::testing::Values(ArchiveKind::zip, ArchiveKind::tar_gz));

class NestedArchive : public ::testing::Test {
 protected:
  std::string zip(const std::vector<Entry>& entries) {
    make_archive(folder_ / "inner", entries);
    return read_file(folder_ / "inner").value();
  }
  Result<std::vector<std::string>> run(const std::string& inner, const UnpackLimits& limits = {}) {
    make_archive(folder_ / "a", {{"p/model.zip", inner, "", ""}});
    return unpack(
        folder_ / "a", folder_ / "out", [](std::string_view name) { return name.ends_with(".gguf"); },
        limits);
  }
  test::TempDir folder_;
};

TEST_F(NestedArchive, OneLevelIsUnpacked) {
  EXPECT_THAT(run(zip({{"m.gguf", "GGUF", "", ""}})).value(), ElementsAre("p/model/m.gguf"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/p/model.zip"));
}

TEST_F(NestedArchive, ASecondLevelIsNot) {
  EXPECT_TRUE(run(zip({{"deep.zip", zip({{"m.gguf", "GGUF", "", ""}}), "", ""}})).value().empty());
}

TEST_F(NestedArchive, IsNoWayAroundTheRules) {
  EXPECT_FALSE(run(zip({{"../../../evil.gguf", "x", "", ""}})).ok());
  std::filesystem::remove_all(folder_ / "out");
  EXPECT_FALSE(run(zip({{"m.gguf", std::string(2 << 20, 'x'), "", ""}}), {.bytes = 1 << 20}).ok());
}

TEST(SafePath, Rules) {
  for (const char* path : {"a", "a/b.gguf", "..a/b..", "a b/ü.gguf"}) EXPECT_TRUE(is_safe_path(path)) << path;
  for (const char* path : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\nb"})
    EXPECT_FALSE(is_safe_path(path)) << path;
  EXPECT_FALSE(is_safe_path(std::string(300, 'a')));
  EXPECT_FALSE(is_safe_path(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace quern::store
