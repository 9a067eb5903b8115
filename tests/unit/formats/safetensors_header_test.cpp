#include "formats/safetensors_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern::formats {
namespace {

using testing::HasSubstr;

// A file with this JSON header and `data` zero bytes behind it.
std::string file_of(std::string_view json, size_t data) {
  std::string file;
  for (int shift = 0; shift < 64; shift += 8) file += static_cast<char>(json.size() >> shift & 0xff);
  return file.append(json).append(data, '\0');
}

Result<SafetensorsHeader> parse(std::string_view file) {
  return parse_safetensors(std::as_bytes(std::span(file)));
}

TEST(SafetensorsHeader, ReadsEntriesAndMetadata) {
  const auto header = parse(file_of(R"({"__metadata__":{"format":"pt"},)"
                                    R"("w":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                                    R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                                    R"("none":{"dtype":"F64","shape":[0,7],"data_offsets":[4,4]},)"
                                    R"("q":{"dtype":"F4","shape":[6],"data_offsets":[16,19]}}   )",
                                    19));
  ASSERT_TRUE(header.ok()) << header.error().to_string();
  EXPECT_EQ(header->metadata, (SafetensorsMetadata{{"format", "pt"}}));
  ASSERT_EQ(header->entries.size(), 4u);
  const TensorEntry& a = header->entries[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_TRUE(a.shape.empty());
  EXPECT_EQ(a.bytes(), 4u);
  EXPECT_EQ(header->entries[1].name, "none");
  const TensorEntry& q = header->entries[2];
  EXPECT_EQ(q.describe(), "F4[6]");
  EXPECT_FALSE(q.dtype.has_value());
  const TensorEntry& w = header->entries[3];
  EXPECT_EQ(w.dtype, DType::bf16);
  EXPECT_EQ(w.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(w.begin - a.begin, 4u);
  EXPECT_EQ(q.end, w.end + 3);
}

struct Hostile {
  std::string json;
  size_t data;
  std::string complaint;
};

TEST(SafetensorsHeader, RefusesHostileHeaders) {
  const auto entry = [](std::string_view fields) { return "{\"t\":{" + std::string(fields) + "}}"; };
  const Hostile cases[] = {
      {"", 0, "does not begin with '{'"},
      {" {}", 0, "does not begin with '{'"},
      {"[]", 0, "does not begin with '{'"},
      {"{\"t\":", 0, "not valid JSON"},
      {"{} x", 0, "not valid JSON"},
      {"{\"t\xff\":{}}", 0, "not valid JSON"},
      {"{" + std::string(3000, '[') + "}", 0, "not valid JSON"},
      {R"({"t":)" + std::string(2000, '[') + std::string(2000, ']') + "}", 0, "not valid JSON"},
      {R"({"t":3})", 0, "entry of tensor \"t\" is not an object"},
      {R"({"__metadata__":[]})", 0, "__metadata__ is not an object"},
      {R"({"__metadata__":{"step":3}})", 0, "\"step\" of __metadata__ is not a string"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", 0, "__metadata__ repeats \"a\""},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "repeats the key \"__metadata__\""},
      {entry(R"("dtype":"F32","shape":[1])"), 4, "lacks data_offsets"},
      {entry(R"("dtype":"F32","data_offsets":[0,4])"), 4, "lacks shape"},
      {entry(R"("shape":[1],"data_offsets":[0,4])"), 4, "lacks dtype"},
      {entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1)"), 4, "unknown key \"x\""},
      {entry(R"("dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4])"), 4,
       "repeated or unknown key \"shape\""},
      {entry(R"("dtype":"F33","shape":[1],"data_offsets":[0,4])"), 4, "dtype of tensor \"t\" is \"F33\""},
      {entry(R"("dtype":7,"shape":[1],"data_offsets":[0,4])"), 4, "dtype of tensor \"t\" is not a string"},
      {entry(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"), 4, "shape of tensor \"t\" is not an array"},
      {entry(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4, "shape of tensor \"t\" holds -1"},
      {entry(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), 4, "shape of tensor \"t\" holds 1"},
      {entry(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])"), 4,
       "holds 9223372036854775808"},
      {entry(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0,
       "an impossible number of bytes"},
      {entry(R"("dtype":"U8","shape":[4294967296,536870912],"data_offsets":[0,0])"), 0,
       "an impossible number of bytes"},
      {entry(R"("dtype":"F4","shape":[3],"data_offsets":[0,1])"), 1, "an impossible number of bytes"},
      {entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4,
       "f32[2], which takes 8 bytes, but its data_offsets hold 4"},
      {entry(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), 4, "not [begin, end]"},
      {entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])"), 4, "not [begin, end]"},
      {entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,"4"])"), 4,
       "data_offsets of tensor \"t\" holds \"4\""},
      {entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4, "are [4, 0)"},
      {entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), 4, "lie within the 4 bytes of data"},
      {entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), 8,
       "begin at 4, expected 0: the data has a hole"},
      {entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), 5,
       "end at byte 4 of the data, expected 5"},
      {R"({"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"u":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "tensor \"u\" begin at 1, expected 2: the data has an overlap"},
      {R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, "repeats the key \"t\""},
      {"{}", 1, "end at byte 0 of the data, expected 1"},
  };
  for (const Hostile& hostile : cases) {
    const auto header = parse(file_of(hostile.json, hostile.data));
    ASSERT_FALSE(header.ok()) << hostile.json;
    EXPECT_EQ(header.error().code, ErrorCode::corrupt);
    EXPECT_THAT(header.error().message, HasSubstr(hostile.complaint));
  }
}

TEST(SafetensorsHeader, RefusesImpossibleLengths) {
  EXPECT_THAT(parse("").error().message, HasSubstr("0 bytes, expected at least 8"));
  EXPECT_THAT(parse("1234567").error().message, HasSubstr("7 bytes, expected at least 8"));
  std::string file = file_of("{}", 0);
  file[0] = 3;
  EXPECT_THAT(parse(file).error().message,
              HasSubstr("length is 3, expected at most 2, the bytes that follow it"));
  file.replace(0, 8, 8, '\xff');
  EXPECT_THAT(parse(file).error().message, HasSubstr("length is 18446744073709551615"));
}

// Cutting a valid file anywhere must be noticed.
TEST(SafetensorsHeader, RefusesEveryTruncation) {
  const std::string file = file_of(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  ASSERT_TRUE(parse(file).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse(std::string_view(file).substr(0, size)).ok()) << size;
  }
}

TEST(SafetensorsHeader, MessagesStayShort) {
  const std::string name(100000, 'n');
  const auto header = parse(
      file_of("{\"" + name + "\":{\"dtype\":\"" + name + "\",\"shape\":[],\"data_offsets\":[0,0]}}", 0));
  ASSERT_FALSE(header.ok());
  EXPECT_LT(header.error().message.size(), 300u);
}

TEST(SafetensorsHeader, FormatsWhatItParses) {
  std::vector<NamedTensor> tensors{{"b", Tensor::zeros({3}, DType::u8)},
                                   {"é\"\n", Tensor::zeros({2, 0}, DType::f32)},
                                   {"a", Tensor::zeros({}, DType::i64)},
                                   {"c", Tensor::zeros({2}, DType::bf16)}};
  sort_for_safetensors(tensors);
  const auto text = format_safetensors_header(tensors, {{"format", "pt"}});
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->size() % 8, 0u);
  const auto header = parse(*text + std::string(8 + 4 + 3, '\0'));
  ASSERT_TRUE(header.ok()) << header.error().to_string();
  ASSERT_EQ(header->entries.size(), 4u);
  EXPECT_EQ(header->entries[0].begin, text->size());     // "a", the widest, comes first
  EXPECT_EQ(header->entries[1].end, text->size() + 15);  // "b", the narrowest, last
  EXPECT_EQ(header->entries[3].name, "é\"\n");
}

TEST(SafetensorsHeader, RefusesNamesItCannotWrite) {
  const Tensor one = Tensor::zeros({1});
  for (const std::vector<NamedTensor>& tensors :
       {std::vector<NamedTensor>{{"a", one}, {"a", one}}, {{"__metadata__", one}}, {{"\xff", one}}}) {
    const auto text = format_safetensors_header(tensors, {});
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(text.error().code, ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace quern::formats
