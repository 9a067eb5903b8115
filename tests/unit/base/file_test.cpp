#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <numeric>
#include <optional>

#include "support/temp_dir.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(File, WritesAndReadsBack) {
  const test::TempDir dir;
  const std::string content("a\0b\nc", 5);
  ASSERT_TRUE(write_file_atomic(dir / "x", content).ok());
  EXPECT_EQ(read_file(dir / "x").value(), content);
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(File, ReadHonoursTheLimit) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "x", std::string(10, 'a')).ok());
  EXPECT_EQ(read_file(dir / "x", 10).value().size(), 10u);
  const auto over = read_file(dir / "x", 9);
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(over.error().message, HasSubstr("more than 9 bytes"));
}

TEST(File, ReadsDevicesThatHaveNoSize) {
  EXPECT_EQ(read_file("/dev/null").value(), "");
  EXPECT_FALSE(read_file("/dev/zero", 100000).ok());  // stops at the limit
  EXPECT_THAT(read_file("/proc/self/status").value(), HasSubstr("Name:"));
}

TEST(File, ErrorsNamePathAndReason) {
  const test::TempDir dir;
  const auto missing = read_file(dir / "absent");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr((dir / "absent").string() + ": No such file"));
  EXPECT_EQ(read_file(dir.path()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(MappedFile::open(dir / "absent").error().code, ErrorCode::not_found);
  EXPECT_EQ(MappedFile::open(dir.path()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(write_file_atomic(dir.path(), "x").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(write_file_atomic(dir / "no/such/folder", "x").error().code, ErrorCode::not_found);
}

TEST(MappedFile, ShowsTheContentAlsoAfterReplacement) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "x", "first").ok());
  const MappedFile file = MappedFile::open(dir / "x", AccessHint::random).value();
  ASSERT_TRUE(write_file_atomic(dir / "x", "second").ok());
  EXPECT_EQ(file.text(), "first");
  file.will_need(0, 100);
  file.done_with(3, 1);
  file.done_with(99, 1);
  EXPECT_EQ(file.text(), "first");
}

TEST(MappedFile, AcceptsEmptyFilesAndMoves) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "empty", "").ok());
  ASSERT_TRUE(write_file_atomic(dir / "x", "abc").ok());
  MappedFile file = MappedFile::open(dir / "empty").value();
  EXPECT_EQ(file.size(), 0u);
  file.will_need(0, 1);
  file = MappedFile::open(dir / "x").value();
  const MappedFile moved = std::move(file);
  EXPECT_EQ(moved.text(), "abc");
}

TEST(AtomicFile, WithoutCommitNothingChanges) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "x", "old").ok());
  {
    AtomicFile file = AtomicFile::create(dir / "x").value();
    ASSERT_TRUE(file.write(std::string(1 << 20, 'n')).ok());
    EXPECT_EQ(read_file(dir / "x").value(), "old");
  }
  EXPECT_EQ(read_file(dir / "x").value(), "old");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(AtomicFile, JoinsSmallAndLargeWrites) {
  const test::TempDir dir;
  std::string expected;
  AtomicFile file = AtomicFile::create(dir / "x").value();
  for (const size_t size : {1u, 1000u, 262143u, 2u, 262144u, 262145u, 5u, 1000000u, 0u, 7u}) {
    std::string piece(size, ' ');
    std::iota(piece.begin(), piece.end(), static_cast<char>(expected.size()));
    ASSERT_TRUE(file.write(piece).ok());
    expected += piece;
    EXPECT_EQ(file.position(), expected.size());
  }
  ASSERT_TRUE(file.commit().ok());
  EXPECT_TRUE(read_file(dir / "x").value() == expected);
}

TEST(AtomicFile, SecondWriterIsToldOfTheFirst) {
  const test::TempDir dir;
  std::optional<AtomicFile> first(AtomicFile::create(dir / "x").value());
  EXPECT_EQ(AtomicFile::create(dir / "x").error().code, ErrorCode::unavailable);
  first.reset();
  EXPECT_TRUE(AtomicFile::create(dir / "x").ok());
}

TEST(FolderLock, SecondOwnerIsToldOfTheFirst) {
  const test::TempDir dir;
  std::optional<FolderLock> first(FolderLock::acquire(dir / "new/run").value());
  const auto second = FolderLock::acquire(dir / "new/run");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
  EXPECT_THAT(second.error().message, testing::HasSubstr("process " + std::to_string(::getpid())));
  first.reset();
  EXPECT_FALSE(std::filesystem::exists(dir / "new/run/.lock"));
  EXPECT_TRUE(FolderLock::acquire(dir / "new/run").ok());
}

TEST(FolderLock, TakesOverWhatAKilledOwnerLeft) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / ".lock", "123456789012").ok());
  const auto lock = FolderLock::acquire(dir / "");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(read_file(dir / ".lock").value(), std::to_string(::getpid()));
}

TEST(AtomicFile, TakesOverWhatAKilledWriterLeft) {
  const test::TempDir dir;
  std::ofstream(dir / ".x.tmp") << "left behind, and longer than the new content";
  ASSERT_TRUE(write_file_atomic(dir / "x", "new").ok());
  EXPECT_EQ(read_file(dir / "x").value(), "new");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(AtomicFile, KeepsModeAndFollowsLinks) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "x", "old").ok());
  ASSERT_EQ(::chmod((dir / "x").c_str(), 0600), 0);
  fs::create_symlink("x", dir / "link");
  ASSERT_TRUE(write_file_atomic(dir / "link", "new").ok());
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "x").value(), "new");
  struct stat info {};
  ASSERT_EQ(::stat((dir / "x").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(AtomicFile, WritesDevicesInPlace) {
  EXPECT_TRUE(write_file_atomic("/dev/null", "x").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  const auto full = write_file_atomic("/dev/full", "x");
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, ErrorCode::io);
  EXPECT_THAT(full.error().message, HasSubstr("No space left"));
  EXPECT_THAT(full.error().hint, HasSubstr("free some space"));
}

// In a child process, because the limit cannot be raised again.
TEST(AtomicFile, FailedWriteLeavesTheOldFileAndNoRubbish) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "x", "old").ok());
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto result = write_file_atomic(dir / "x", std::string(3 << 20, 'n'));
    ::_exit(!result.ok() && result.error().code == ErrorCode::io ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(dir / "x").value(), "old");
  EXPECT_EQ(entries(dir.path()), 1u);
}

}  // namespace
}  // namespace quern
