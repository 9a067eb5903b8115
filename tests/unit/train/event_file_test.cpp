#include "train/event_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace quern::train {
namespace {

TEST(Crc32c, MatchesPublishedCheckValue) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);            // RFC 3720 catalogue value
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720 B.4
}

// A record as TFRecord readers see it: the length's checksum first, then the body's.
TEST(EventFile, FramesRecordsWithValidChecksums) {
  const std::string directory = testing::TempDir() + "/quern_events";
  std::filesystem::remove_all(directory);
  {
    EventFile file = EventFile::create(directory, 5, 1.5).value();
    file.scalar("loss", 2.25, 7, 2.0);
    file.text("sample", "hello", 7, 2.0);
    ASSERT_TRUE(file.flush().ok());
  }
  const auto path = std::filesystem::directory_iterator(directory)->path();
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const auto masked = [](uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; };
  size_t at = 0;
  std::vector<std::string> bodies;
  while (at < bytes.size()) {
    uint64_t length = 0;
    uint32_t crc = 0;
    std::memcpy(&length, bytes.data() + at, 8);
    std::memcpy(&crc, bytes.data() + at + 8, 4);
    ASSERT_EQ(crc, masked(crc32c(bytes.substr(at, 8))));
    bodies.push_back(bytes.substr(at + 12, length));
    std::memcpy(&crc, bytes.data() + at + 12 + length, 4);
    ASSERT_EQ(crc, masked(crc32c(bodies.back())));
    at += 16 + length;
  }
  ASSERT_EQ(bodies.size(), 4u);
  EXPECT_NE(bodies[0].find("brain.Event:2"), std::string::npos);
  // The session starts at step 5: what other files say about it and later steps is void.
  EXPECT_TRUE(bodies[1].ends_with(std::string("\x10\x05\x3a\x02\x08\x01")));
  const float value = 2.25f;
  std::string tagged = "loss\x15";
  tagged.append(reinterpret_cast<const char*>(&value), 4);
  EXPECT_NE(bodies[2].find(tagged), std::string::npos);
  EXPECT_NE(bodies[3].find("hello"), std::string::npos);
}

TEST(EventFile, UnwritableDirectoryIsAnError) {
  EXPECT_FALSE(EventFile::create("/proc/nowhere", 0, 0.0).ok());
}

}  // namespace
}  // namespace quern::train
