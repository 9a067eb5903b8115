#include "server/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <vector>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::server {
namespace {

using Json = nlohmann::ordered_json;

std::vector<Json> lines_of(const std::filesystem::path& file) {
  const std::string text = read_file(file).value();
  std::vector<Json> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    EXPECT_NE(end, std::string::npos);
    lines.push_back(Json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

TEST(AuditLog, AppendsOneLinePerEntry) {
  const quern::test::TempDir dir;
  for (int run = 0; run < 2; ++run) {
    const auto log = AuditLog::open({.file = dir / "audit.jsonl"}).value();
    log->write({{"caller", "alice"}, {"run", run}, {"text", "two\nlines \xFF"}});
    log->flush();
    EXPECT_EQ(lines_of(dir / "audit.jsonl").size(), static_cast<size_t>(run + 1));
  }
  const auto lines = lines_of(dir / "audit.jsonl");
  EXPECT_EQ(lines[1].begin().key(), "time");
  EXPECT_EQ(lines[1]["caller"], "alice");
  EXPECT_EQ(lines[1]["run"], 1);
  EXPECT_EQ(lines[1]["text"], "two\nlines \xEF\xBF\xBD");
  struct stat status {};
  ASSERT_EQ(::stat((dir / "audit.jsonl").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(AuditLog, RotatesBeforeTheFileGrowsBeyondItsSize) {
  const quern::test::TempDir dir;
  const auto log = AuditLog::open({.file = dir / "a", .rotate_bytes = 1000, .keep = 2}).value();
  for (int i = 0; i < 100; ++i) log->write({{"number", i}, {"padding", std::string(40, 'x')}});
  log->flush();
  EXPECT_EQ(lines_of(dir / "a").back()["number"], 99);
  for (const char* name : {"a", "a.1", "a.2"})
    EXPECT_LE(std::filesystem::file_size(dir / name), 1000u) << name;
  EXPECT_EQ(lines_of(dir / "a.1").back()["number"].get<int>() + 1, lines_of(dir / "a").front()["number"]);
  EXPECT_EQ(lines_of(dir / "a.2").back()["number"].get<int>() + 1, lines_of(dir / "a.1").front()["number"]);
  EXPECT_FALSE(std::filesystem::exists(dir / "a.3"));
  EXPECT_EQ(log->dropped(), 0u);
}

TEST(AuditLog, DropsWhatItCannotKeep) {
  const quern::test::TempDir dir;
  const auto log = AuditLog::open({.file = dir / "a", .queue = 0}).value();
  log->write({{"a", 1}});
  log->flush();
  EXPECT_EQ(log->dropped(), 1u);
  const auto full = AuditLog::open({.file = "/dev/full"}).value();
  full->write({{"a", 1}});
  full->flush();
  EXPECT_EQ(full->dropped(), 1u);
  EXPECT_FALSE(AuditLog::open({.file = dir / "missing" / "a"}).ok());
}

TEST(AuditLog, RedactsContents) {
  const Json entry = Json::parse(
      R"({"model": "m", "caller": "alice", "body": {"temperature": 0.5, "prompt": ["abc", ["de"], [17, 4]],
      "messages": [{"role": "user", "content": "secret", "name": "n"}, {"role": "tool", "content": [{"type": "text", "text": "x"}]}],
      "tools": [{"name": "f"}]}, "usage": {"tokens": 7}})");
  EXPECT_EQ(
      redacted(entry),
      Json::parse(
          R"({"model": "m", "caller": "alice", "body": {"temperature": 0.5, "prompt": ["[3 bytes]", ["[2 bytes]"], "[2 tokens]"],
      "messages": [{"role": "user", "content": "[6 bytes]", "name": "[1 bytes]"}, {"role": "tool", "content": [{"type": "text", "text": "[1 bytes]"}]}],
      "tools": [{"name": "f"}]}, "usage": {"tokens": 7}})"));
  const quern::test::TempDir dir;
  const auto log = AuditLog::open({.file = dir / "a", .redact = true}).value();
  log->write(entry);
  log->flush();
  EXPECT_THAT(read_file(dir / "a").value(), testing::Not(testing::HasSubstr("secret")));
}

}  // namespace
}  // namespace quern::server
