#include "formats/gguf/legacy_importance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "support/golden.h"

namespace quern::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kImatrix = quern::test::kGolden / "imatrix";

// Both forms of one matrix, by llama.cpp (tools/goldens/imatrix.py).
TEST(LegacyImportance, SaysWhatTheGgufFormSays) {
  const ImportanceMatrix legacy = read_importance_matrix(kImatrix / "legacy.dat").value();
  const ImportanceMatrix same = read_importance_matrix(kImatrix / "same.gguf").value();
  EXPECT_THAT(legacy.datasets, ElementsAre("input.txt"));
  EXPECT_EQ(legacy.chunk_count, same.chunk_count);
  ASSERT_EQ(legacy.entries.size(), 14u);
  ASSERT_EQ(legacy.entries.size(), same.entries.size());
  for (const auto& [name, entry] : legacy.entries) {
    const std::vector<float> got = entry.importance(), wanted = same.entries.at(name).importance();
    ASSERT_EQ(got.size(), wanted.size()) << name;
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-6f * wanted[i]) << name;
  }
}

// Builds a file piece by piece.
class Bytes {
 public:
  Bytes& integer(int32_t value) { return raw(&value, sizeof value); }
  Bytes& number(float value) { return raw(&value, sizeof value); }
  Bytes& text(const std::string& value) { return raw(value.data(), value.size()); }
  Result<ImportanceMatrix> parse() const {
    return parse_legacy_importance(std::as_bytes(std::span(bytes_)), "i.dat");
  }
  std::string error() const {
    const auto parsed = parse();
    return parsed.ok() ? "" : parsed.error().message;
  }

 private:
  Bytes& raw(const void* data, size_t size) {
    const auto* from = static_cast<const char*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
    return *this;
  }
  std::vector<char> bytes_;
};

// One entry "w" of `values` numbers, of which one is there.
Bytes entry(int32_t length = 1, int32_t calls = 2, int32_t values = 1, float value = 3.0f) {
  return Bytes().integer(1).integer(length).text("w").integer(calls).integer(values).number(value);
}

TEST(LegacyImportance, TheEndMayBeMissing) {
  for (const Bytes& bytes : {entry(), entry().integer(7), entry().integer(7).integer(0)}) {
    const ImportanceMatrix matrix = bytes.parse().value();
    EXPECT_THAT(matrix.entries.at("w").importance(), ElementsAre(1.5f));
    EXPECT_TRUE(matrix.datasets.empty());
  }
  EXPECT_EQ(entry().integer(7).parse()->chunk_count, 7u);
}

TEST(LegacyImportance, RefusesCountsThatTheFileHasNoRoomFor) {
  constexpr int32_t kHuge = std::numeric_limits<int32_t>::max();
  EXPECT_THAT(Bytes().error(), HasSubstr("i.dat: ends before entries"));
  EXPECT_THAT(Bytes().text("hello, this is a text").error(), HasSubstr("entries: expected 1 to 1, got"));
  for (const int32_t wrong : {-1, 0, 3, kHuge})
    EXPECT_THAT(Bytes().integer(wrong).text(std::string(34, 'x')).error(),
                HasSubstr("entries: expected 1 to 2"));
  for (const int32_t wrong : {-1, 0, 4097, kHuge})
    EXPECT_THAT(entry(wrong).error(), HasSubstr("length of a name: expected 1 to 13"));
  for (const int32_t wrong : {-1, 0, 2, kHuge})
    EXPECT_THAT(entry(1, 2, wrong).error(),
                HasSubstr("values of w: expected 1 to 1, got " + std::to_string(wrong)));
  EXPECT_THAT(entry(1, -1).error(), HasSubstr("calls of w: expected 0 to"));
  EXPECT_THAT(entry(1, 2, 1, -1.0f).error(), HasSubstr("w: expected finite numbers"));
  EXPECT_THAT(entry(1, 2, 1, NAN).error(), HasSubstr("w: expected finite numbers"));
  EXPECT_THAT(entry().integer(-1).error(), HasSubstr("chunks: expected 0 to"));
  EXPECT_THAT(entry().integer(1).integer(1).error(), HasSubstr("length of the text: expected 0 to 0, got 1"));
  Bytes twice;
  twice.integer(2);
  for (int i = 0; i < 2; ++i) twice.integer(1).text("w").integer(2).integer(1).number(1.0f);
  EXPECT_THAT(twice.error(), HasSubstr("w is there twice"));
}

}  // namespace
}  // namespace quern::formats
