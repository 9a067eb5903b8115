#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf/header.h"
#include "gguf_bytes.h"

namespace quern::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_1 = 9, kQ4_K = 12;
constexpr uint64_t k2To31 = uint64_t{1} << 31, k2To42 = uint64_t{1} << 42;

void expect_refused(const GgufBytes& file, std::string_view complaint, ErrorCode code = ErrorCode::corrupt) {
  const auto header = parse_gguf(file.bytes());
  ASSERT_FALSE(header.ok()) << complaint;
  EXPECT_THAT(header.error().message, HasSubstr(complaint));
  EXPECT_EQ(header.error().code, code) << complaint;
}

TEST(GgufHeader, ReadsTensorsAndMetadata) {
  GgufBytes file;
  file.head(3, 2).key("a.count", 4).number<uint32_t>(5).array("a.names", 8, 2).string("x").string("");
  file.tensor("w", {64, 3}, kQ4_0, 128)
      .tensor("b", {2}, kF16, 0)
      .tensor("none", {0, 7}, kF32, 128)
      .data(128 + 108);
  const auto header = parse_gguf(file.bytes());
  ASSERT_TRUE(header.ok()) << header.error().to_string();
  EXPECT_EQ(header->metadata.get<int64_t>("a.count").value(), 5);
  EXPECT_THAT(header->metadata.get<std::vector<std::string>>("a.names").value(), ElementsAre("x", ""));
  ASSERT_EQ(header->tensors.size(), 3u);
  const GgufTensor& w = header->tensors[0];
  EXPECT_EQ(w.describe(), "Q4_0[3, 64]");
  EXPECT_EQ(w.bytes, 3u * 2 * 18);
  EXPECT_EQ(w.begin + w.bytes, file.text.size());
  EXPECT_EQ(header->tensors[1].begin, w.begin - 128);
  EXPECT_EQ(header->tensors[2].bytes, 0u);
}

TEST(GgufHeader, TakesVersionTwoAndFilesWithoutTensors) {
  EXPECT_EQ(parse_gguf(GgufBytes().head(0, 0, 2).bytes()).value().version, 2u);
  EXPECT_TRUE(parse_gguf(GgufBytes().head(0, 0).bytes()).value().tensors.empty());
}

TEST(GgufHeader, ListsTypesThatCannotBeLoaded) {
  const auto header = parse_gguf(GgufBytes().head(1, 0).tensor("q", {32}, kQ8_1, 0).data(36).bytes());
  EXPECT_EQ(header.value().tensors[0].describe(), "Q8_1[32]");
  EXPECT_FALSE(header.value().tensors[0].type->dtype.has_value());
}

TEST(GgufHeader, RefusesOtherVersionsAndByteOrdersByName) {
  GgufBytes wrong;
  wrong.text = "GGML";
  expect_refused(wrong.number<uint32_t>(3), "begins with 47474d4c, expected the letters GGUF");
  expect_refused(GgufBytes(), "the magic number takes 4 bytes at byte 0, where 0 are left");
  expect_refused(GgufBytes().head(0, 0, 1), "the version is 1, expected 2 or 3", ErrorCode::unsupported);
  expect_refused(GgufBytes().head(0, 0, 4), "the version is 4, expected 2 or 3", ErrorCode::unsupported);
  expect_refused(GgufBytes().head(0, 0, 0), "the version is 0", ErrorCode::unsupported);
  expect_refused(GgufBytes().head(0, 0, 0x03000000), "the file is big-endian", ErrorCode::unsupported);
}

TEST(GgufHeader, RefusesBadMetadata) {
  const auto entry = [](uint64_t count = 1) { return GgufBytes().head(0, count); };
  expect_refused(entry().string("").number<uint32_t>(0).number<uint64_t>(0), "metadata key \"\" is empty");
  expect_refused(entry().key("\xff", 4).number<uint64_t>(0), "is not UTF-8");
  expect_refused(entry(2).key("k", 4).number<uint32_t>(1).key("k", 4).number<uint64_t>(1),
                 "key \"k\" is repeated");
  expect_refused(entry().key("k", 13).number<uint64_t>(1),
                 "metadata \"k\": the type is 13, expected at most 12");
  expect_refused(entry().array("k", 13, 0), "metadata \"k\": the element type is 13, expected at most 12");
  expect_refused(entry().array("k", 9, 0), "arrays of arrays are not supported", ErrorCode::unsupported);
  expect_refused(entry().key("key", 10).number<uint32_t>(1),
                 "the value takes 8 bytes at byte 39, where 4 are left");
}

TEST(GgufHeader, RefusesBadAlignments) {
  const auto aligned = [](uint32_t value) {
    return GgufBytes().head(0, 1).key("general.alignment", 4).number(value);
  };
  expect_refused(aligned(0), "general.alignment is 0, expected a power of two");
  expect_refused(aligned(48), "general.alignment is 48, expected a power of two");
  expect_refused(aligned(1u << 31),
                 "general.alignment is 2147483648, expected a power of two up to 1073741824");
  expect_refused(GgufBytes().head(0, 1).key("general.alignment", 8).string("32"),
                 "general.alignment is string");
  EXPECT_EQ(parse_gguf(aligned(1).bytes()).value().alignment, 1u);
}

TEST(GgufHeader, RefusesBadTensors) {
  const auto one = [](const std::string& name, const std::vector<uint64_t>& extents, uint32_t type,
                      uint64_t offset, size_t data) {
    return GgufBytes().head(1, 0).tensor(name, extents, type, offset).data(data);
  };
  expect_refused(one("", {1}, kF32, 0, 4), "the tensor name \"\" has 0 bytes");
  expect_refused(one(std::string(65, 'n'), {1}, kF32, 0, 4), "has 65 bytes, expected 1 to 64");
  expect_refused(one("\xfe", {1}, kF32, 0, 4), "of UTF-8");
  expect_refused(one("w", {1}, 99, 0, 4), "tensor \"w\": the tensor type is 99", ErrorCode::unsupported);
  expect_refused(one("w", {32}, 4, 0, 400), "the tensor type is 4", ErrorCode::unsupported);  // Q4_2, gone
  expect_refused(one("w", {33}, kQ4_0, 0, 400), "rows have 33 elements, expected a multiple of 32");
  expect_refused(one("w", {128}, kQ4_K, 0, 400), "rows have 128 elements, expected a multiple of 256");
  expect_refused(one("w", {}, kQ4_0, 0, 400), "rows have 1 elements, expected a multiple of 32");
  expect_refused(one("w", {1}, kF32, 4, 400), "the offset is 4, expected a multiple of 32");
  expect_refused(one("w", {2}, kF32, 0, 7),
                 "f32[2] takes 8 bytes at offset 0, expected to lie within the 7 bytes");
  expect_refused(one("w", {1}, kF32, 64, 64), "at offset 64, expected to lie within the 64 bytes");
  expect_refused(one("w", {1}, kF32, ~uint64_t{31}, 64), "at offset 18446744073709551584");
  expect_refused(GgufBytes().head(2, 0).tensor("w", {1}, kF32, 0).tensor("w", {1}, kF32, 32).data(64),
                 "tensor name \"w\" is repeated");
  expect_refused(GgufBytes().head(2, 0).tensor("v", {9}, kF32, 0).tensor("w", {1}, kF32, 32).data(64),
                 "tensors \"v\" and \"w\" overlap");
}

// One test for each loader attack that was published.

TEST(GgufIncidents, StringLengthThatWraps) {  // CVE-2024-23496: length + 1 bytes allocated, length read
  expect_refused(GgufBytes().head(0, 1).number(UINT64_MAX).number<uint64_t>(0),
                 "the length of a metadata key is 18446744073709551615, expected at most 8");
  expect_refused(GgufBytes().head(0, 1).key("key", 8).number(UINT64_MAX),
                 "metadata \"key\": the length is 18446744073709551615");
}

TEST(GgufIncidents,
     CountsThatWrapAllocations) {  // TALOS-2024-1912 to 1916: counts times the size of a struct
  for (const uint64_t count : {UINT64_MAX, uint64_t{1} << 61, uint64_t{1} << 40, uint64_t{2}}) {
    expect_refused(GgufBytes().head(count, 0).data(32), "the number of tensors is");
    expect_refused(GgufBytes().head(0, count), "the number of metadata entries is");
    expect_refused(GgufBytes().head(0, 1).array("k", 10, count).number<uint64_t>(0),
                   "the number of elements is");
    expect_refused(GgufBytes().head(0, 1).array("k", 8, count).string(""), "the number of elements is");
  }
}

TEST(GgufIncidents, MoreDimensionsThanTheStructHolds) {  // CVE-2024-21802: n_dims unchecked, heap overflow
  expect_refused(GgufBytes().head(1, 0).tensor("w", {1, 1, 1, 1, 1}, kF32, 0).data(64),
                 "tensor \"w\": the number of dimensions is 5, expected at most 4");
  expect_refused(GgufBytes().head(1, 0).string("w").number(UINT32_MAX).data(64),
                 "the number of dimensions is 4294967295");
}

TEST(GgufIncidents, TokensLongerThanTheirLengthType) {  // CVE-2025-49847: a token's length cut to 32 bits
  expect_refused(
      GgufBytes().head(0, 1).array("tokenizer.ggml.tokens", 8, 1).number(k2To31 * 2 + 3).number<uint32_t>(0),
      "metadata \"tokenizer.ggml.tokens\": the length of an element is 4294967299, expected at most 4");
}

TEST(GgufIncidents, SizesWhoseSumWraps) {  // CVE-2025-53630, CVE-2026-27940: each fits, their sum does not
  GgufBytes file;
  file.head(2, 0)
      .tensor("a", {k2To31, k2To31 / 4}, kF32, 0)
      .tensor("b", {k2To31, k2To31 / 4}, kF32, 32)
      .data(64);
  expect_refused(file,
                 "takes 4611686018427387904 bytes at offset 0, expected to lie within the 64 bytes of data");
}

TEST(GgufIncidents, ExtentsWhoseProductWraps) {  // the 2^42 dimensions of 2026
  expect_refused(GgufBytes().head(1, 0).tensor("w", {k2To42, k2To42}, kF32, 0).data(64),
                 "the extents multiply past 2^62");
  expect_refused(GgufBytes().head(1, 0).tensor("w", {k2To31, k2To31, 4, 1}, kF32, 0).data(64), "past 2^62");
  expect_refused(GgufBytes().head(1, 0).tensor("w", {0, UINT64_MAX}, kF32, 0).data(64), "past 2^62");
  expect_refused(GgufBytes().head(1, 0).tensor("w", {UINT64_MAX}, kF32, 0).data(64), "past 2^62");
  expect_refused(GgufBytes().head(1, 0).tensor("w", {k2To31, k2To31 / 2}, 28, 0).data(64),
                 "takes more than 2^63 - 1 bytes");
}

TEST(GgufIncidents, ArraysOfAnotherElementType) {  // strings read from an array of numbers
  GgufBytes file;
  file.head(0, 1).array("tokenizer.ggml.tokens", 0, 16).data(16, 1);
  const auto header = parse_gguf(file.bytes());
  ASSERT_TRUE(header.ok());
  EXPECT_FALSE(header->metadata.get<std::vector<std::string>>("tokenizer.ggml.tokens").ok());
}

TEST(GgufIncidents, AlignmentWhosePaddingWraps) {
  expect_refused(GgufBytes().head(0, 1).key("general.alignment", 10).number(uint64_t{1} << 63),
                 "general.alignment is");
}

TEST(GgufIncidents, TensorsBeyondTheFile) {  // CVE-2026-7482: heap bytes behind a small file read as weights
  expect_refused(GgufBytes().head(1, 0).tensor("w", {1 << 20}, kF32, 0).data(64),
                 "to lie within the 64 bytes of data");
}

TEST(GgufIncidents, TinyFileHugeAllocation) {
  expect_refused(GgufBytes().head(0, 1).array("k", 0, uint64_t{1} << 34).number<uint32_t>(0),
                 "expected at most 4");
}

// Cutting a valid file anywhere must be noticed, and changing any byte must not break the reader.
TEST(GgufHeader, SurvivesEveryTruncationAndByte) {
  GgufBytes file;
  file.head(2, 2).key("a", 8).string("text").array("b", 5, 2).number<int32_t>(1).number<int32_t>(2);
  file.tensor("v", {8}, kF32, 0).tensor("w", {32, 2}, kQ4_0, 32).data(32 + 36);
  ASSERT_TRUE(parse_gguf(file.bytes()).ok());
  for (size_t size = 0; size < file.text.size(); ++size)
    EXPECT_FALSE(parse_gguf(file.bytes().first(size)).ok()) << size;
  for (size_t at = 0; at < file.text.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      GgufBytes changed = file;
      changed.text[at] = static_cast<char>(value);
      const auto header = parse_gguf(changed.bytes());
      EXPECT_TRUE(header.ok() || header.error().message.size() < 400);
    }
  }
}

}  // namespace
}  // namespace quern::formats
