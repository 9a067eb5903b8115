#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf/metadata.h"

namespace quern::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

GgufMetadata sample_metadata() {
  GgufMetadata metadata;
  metadata.set("width", uint32_t{7});
  metadata.set("huge", UINT64_MAX);
  metadata.set("negative", int8_t{-3});
  metadata.set("half", 0.5f);
  metadata.set("flag", true);
  metadata.set("name", std::string("quern"));
  metadata.set("ids", GgufArray(std::vector<int32_t>{1, -2}));
  metadata.set("flags", GgufArray(std::vector<bool>{true, false}));
  metadata.set("pieces", GgufArray(std::vector<std::string>{"a", ""}));
  metadata.set("scores", GgufArray(std::vector<float>{0.25f}));
  return metadata;
}

TEST(GgufMetadata, TakesIntegersOfAnyWidthThatFit) {
  const GgufMetadata metadata = sample_metadata();
  EXPECT_EQ(metadata.get<int64_t>("width").value(), 7);
  EXPECT_EQ(metadata.get<uint64_t>("width").value(), 7u);
  EXPECT_EQ(metadata.get<uint64_t>("huge").value(), UINT64_MAX);
  EXPECT_EQ(metadata.get<int64_t>("negative").value(), -3);
  EXPECT_FALSE(metadata.get<int64_t>("huge").ok());
  EXPECT_FALSE(metadata.get<uint64_t>("negative").ok());
  EXPECT_FALSE(metadata.get<int64_t>("flag").ok());
  EXPECT_FALSE(metadata.get<bool>("width").ok());
  EXPECT_FALSE(metadata.get<double>("width").ok());
  EXPECT_EQ(metadata.get<double>("half").value(), 0.5);
  EXPECT_EQ(metadata.get<std::string>("name").value(), "quern");
}

TEST(GgufMetadata, ChecksElementTypesOfArrays) {
  const GgufMetadata metadata = sample_metadata();
  EXPECT_THAT(metadata.get<std::vector<int64_t>>("ids").value(), ElementsAre(1, -2));
  EXPECT_THAT(metadata.get<std::vector<bool>>("flags").value(), ElementsAre(true, false));
  EXPECT_THAT(metadata.get<std::vector<std::string>>("pieces").value(), ElementsAre("a", ""));
  EXPECT_THAT(metadata.get<std::vector<double>>("scores").value(), ElementsAre(0.25));
  EXPECT_THAT(metadata.get<std::vector<uint64_t>>("ids").error().message, HasSubstr("element 1 is none"));
  EXPECT_THAT(metadata.get<std::vector<double>>("pieces").error().message,
              HasSubstr("pieces is array of 2 string, expected an array, each element a floating number"));
  EXPECT_FALSE(metadata.get<std::vector<std::string>>("ids").ok());
  EXPECT_FALSE(metadata.get<std::vector<std::string>>("name").ok());
  EXPECT_FALSE(metadata.get<std::string>("pieces").ok());
}

TEST(GgufMetadata, SaysWhatIsMissingOrWrong) {
  const GgufMetadata metadata = sample_metadata();
  EXPECT_EQ(metadata.get<int64_t>("depth").error().code, ErrorCode::not_found);
  EXPECT_EQ(metadata.get_or<int64_t>("depth", 4).value(), 4);
  const Result<uint64_t> wrong = metadata.get_or<uint64_t>("name", 4);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::corrupt);
  EXPECT_EQ(wrong.error().message, "gguf: name is string \"quern\", expected an integer from 0 to 2^64 - 1");
}

TEST(GgufMetadata, ReplacesInPlace) {
  GgufMetadata metadata = sample_metadata();
  metadata.set("width", 1.5);
  EXPECT_EQ(metadata.entries().front().key, "width");
  EXPECT_EQ(describe(*metadata.find("width")), "f64 1.5");
  EXPECT_EQ(metadata.entries().size(), sample_metadata().entries().size());
  metadata.erase("huge");
  metadata.erase("absent");
  EXPECT_EQ(metadata.find("huge"), nullptr);
  EXPECT_EQ(metadata.get<int64_t>("negative").value(), -3);
  EXPECT_EQ(gguf_length(*metadata.find("pieces")), 2u);
  EXPECT_EQ(gguf_length(*metadata.find("name")), 1u);
}

}  // namespace
}  // namespace quern::formats
