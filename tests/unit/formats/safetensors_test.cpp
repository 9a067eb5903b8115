#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"

namespace quern::formats {
namespace {

using testing::HasSubstr;

constexpr DType kEveryDType[] = {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i32,
                                 DType::i64, DType::u8,   DType::i8,  DType::u16, DType::boolean};

// Random names, dtypes, shapes (empty and 0-d too) and bytes.
std::vector<NamedTensor> random_tensors(Rng& rng) {
  std::vector<NamedTensor> tensors(rng.below(12));
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::vector<int64_t> extents(rng.below(4));
    for (int64_t& extent : extents) extent = static_cast<int64_t>(rng.below(5));
    Tensor tensor(Shape(extents), kEveryDType[rng.below(std::size(kEveryDType))]);
    std::generate_n(static_cast<uint8_t*>(tensor.raw()), tensor.bytes(),
                    [&] { return static_cast<uint8_t>(rng.next_u32()); });
    tensors[i] = {"tensor." + std::to_string(rng.next_u32()) + "." + std::to_string(i), tensor};
  }
  return tensors;
}

void expect_same(const TensorArchive& archive, const std::vector<NamedTensor>& expected) {
  EXPECT_EQ(archive.entries().size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    const auto loaded = archive.tensor(name);
    ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
    EXPECT_EQ(loaded->describe(), tensor.describe());
    EXPECT_EQ(std::memcmp(loaded->raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())), 0) << name;
  }
}

TEST(Safetensors, RandomArchivesRoundTrip) {
  const test::TempDir dir;
  const std::filesystem::path path = dir.path() / "random.safetensors";
  Rng rng(1, 0);
  for (int round = 0; round < 30; ++round) {
    const std::vector<NamedTensor> tensors = random_tensors(rng);
    const SafetensorsMetadata metadata{{"round", std::to_string(round)}};
    write_safetensors(path, tensors, metadata).value();
    const auto archive = TensorArchive::open(path);
    ASSERT_TRUE(archive.ok()) << archive.error().to_string();
    EXPECT_EQ(archive->metadata(), metadata);
    expect_same(*archive, tensors);
  }
}

TEST(Safetensors, RandomShardsRoundTrip) {
  const test::TempDir dir;
  Rng rng(2, 0);
  for (int round = 0; round < 30; ++round) {
    const std::vector<NamedTensor> tensors = random_tensors(rng);
    const auto limit = static_cast<int64_t>(rng.below(300));
    write_weights(dir.path(), tensors, limit).value();
    const bool single = std::filesystem::exists(dir.path() / kWeightsFile);
    EXPECT_NE(single, std::filesystem::exists(dir.path() / kWeightsIndexFile));
    const auto archive = TensorArchive::open(dir.path() / (single ? kWeightsFile : kWeightsIndexFile));
    ASSERT_TRUE(archive.ok()) << archive.error().to_string();
    expect_same(*archive, tensors);
    // Nothing of an earlier save is left, and no shard is larger than asked unless one tensor is.
    std::vector<int64_t> filled(archive->entries().size() + 1), count(filled.size());
    for (const TensorEntry& entry : archive->entries()) {
      filled[entry.file] += static_cast<int64_t>(entry.bytes());
      ++count[entry.file];
    }
    size_t files = 0;
    for (size_t i = 0; i < filled.size(); ++i) {
      EXPECT_TRUE(filled[i] <= limit || count[i] == 1);
      files += count[i] > 0;
    }
    const auto found = std::distance(std::filesystem::directory_iterator(dir.path()), {});
    EXPECT_EQ(static_cast<size_t>(found), single ? 1 : files + 1);
  }
}

// Byte for byte what the Python library writes: same order, same header, same padding.
TEST(Safetensors, WritesTheBytesOfTheReferenceImplementation) {
  const test::TempDir dir;
  const std::filesystem::path golden = std::filesystem::path(QUERN_SOURCE_DIR) / "tests/golden/gpt2";
  for (const auto& [file, metadata] : {std::pair("model.safetensors", SafetensorsMetadata{{"format", "pt"}}),
                                       {"expected.safetensors", SafetensorsMetadata{}}}) {
    const TensorArchive archive = TensorArchive::open(golden / file).value();
    std::vector<NamedTensor> tensors;
    for (const TensorEntry& entry : archive.entries())
      tensors.push_back({entry.name, archive.tensor(entry.name).value()});
    write_safetensors(dir.path() / file, tensors, metadata).value();
    EXPECT_EQ(read_file(dir.path() / file).value(), read_file(golden / file).value()) << file;
  }
}

TEST(Safetensors, TensorsOutliveTheirArchiveAndFile) {
  const test::TempDir dir;
  const std::filesystem::path path = dir.path() / "a.safetensors";
  write_safetensors(path, {{"w", Tensor::full({1000}, 3.0)}}).value();
  Tensor tensor;
  {
    const TensorArchive archive = TensorArchive::open(path).value();
    tensor = archive.tensor("w").value();
  }
  write_safetensors(path, {{"w", Tensor::full({1000}, 4.0)}}).value();
  EXPECT_EQ(tensor.data<float>()[999], 3.0f);
}

TEST(Safetensors, CopiesTensorsThatTheFileDoesNotAlign) {
  const test::TempDir dir;
  const std::filesystem::path path = dir.path() / "odd.safetensors";
  const std::string json = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                           R"("b":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(json.size());
  const double values[] = {1.5, -2.5};
  file += json + '\7' + std::string(reinterpret_cast<const char*>(values), sizeof values);
  write_file_atomic(path, file).value();
  const Tensor b = TensorArchive::open(path).value().tensor("b").value();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.raw()) % sizeof(double), 0u);
  EXPECT_THAT(b.span<double>(), testing::ElementsAre(1.5, -2.5));
}

TEST(Safetensors, ListsButDoesNotLoadOtherElementTypes) {
  const test::TempDir dir;
  const std::filesystem::path path = dir.path() / "f8.safetensors";
  const std::string json = R"({"q":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},)"
                           R"("r":{"dtype":"U8","shape":[1,1,1,1,1,1,1],"data_offsets":[2,3]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(json.size());
  write_file_atomic(path, file + json + "abc").value();
  const TensorArchive archive = TensorArchive::open(path).value();
  EXPECT_EQ(archive.find("q")->describe(), "F8_E4M3[2]");
  EXPECT_EQ(archive.tensor("q").error().code, ErrorCode::unsupported);
  EXPECT_EQ(archive.tensor("r").error().code, ErrorCode::unsupported);
  EXPECT_EQ(archive.tensor("s").error().code, ErrorCode::not_found);
}

TEST(Safetensors, SaysWhichFileIsDamaged) {
  const test::TempDir dir;
  const std::filesystem::path path = dir.path() / "cut.safetensors";
  write_safetensors(path, {{"w", Tensor::full({10}, 3.0)}}).value();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  const auto archive = TensorArchive::open(path);
  ASSERT_FALSE(archive.ok());
  EXPECT_EQ(archive.error().code, ErrorCode::corrupt);
  EXPECT_THAT(archive.error().message,
              HasSubstr("cut.safetensors: safetensors: data_offsets of tensor \"w\""));
  EXPECT_EQ(TensorArchive::open(dir.path() / "absent.safetensors").error().code, ErrorCode::not_found);
}

TEST(Safetensors, SaysThatTheDiskIsFull) {
  const auto written = write_safetensors("/dev/full", {{"w", Tensor::full({1000}, 1.0)}});
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, ErrorCode::io);
  EXPECT_THAT(written.error().message, HasSubstr("No space left"));
}

TEST(Safetensors, ChecksTheIndexOfShards) {
  const test::TempDir dir;
  const std::filesystem::path index = dir.path() / kWeightsIndexFile;
  write_safetensors(dir.path() / "one.safetensors", {{"a", Tensor::zeros({1})}}).value();
  write_safetensors(dir.path() / "two.safetensors", {{"b", Tensor::zeros({1})}}).value();
  write_safetensors(dir.path() / "again.safetensors", {{"a", Tensor::zeros({1})}}).value();
  const auto open = [&](std::string_view text) {
    write_file_atomic(index, text).value();
    return TensorArchive::open(index);
  };
  EXPECT_TRUE(open(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})").ok());
  const std::pair<std::string, std::string> cases[] = {
      {"{", "not valid JSON"},
      {"[]", "\"weight_map\""},
      {R"({"weight_map":[]})", "\"weight_map\""},
      {R"({"weight_map":{"a":1}})", "maps \"a\" to 1"},
      {R"({"weight_map":{"a":""}})", "maps \"a\" to \"\""},
      {R"({"weight_map":{"a":".."}})", "maps \"a\" to \"..\""},
      {R"({"weight_map":{"a":"../one.safetensors"}})", "maps \"a\" to \"../one.safetensors\""},
      {R"({"weight_map":{"a":"two.safetensors"}})", R"("two.safetensors" holds tensor "a", which is not so)"},
      {R"({"weight_map":{"a":"two.safetensors","b":"one.safetensors"}})", "which is not so"},
      {R"({"weight_map":{"a":"one.safetensors","c":"again.safetensors"}})", "hold tensor \"a\""},
  };
  for (const auto& [text, complaint] : cases) {
    const auto archive = open(text);
    ASSERT_FALSE(archive.ok()) << text;
    EXPECT_EQ(archive.error().code, ErrorCode::corrupt);
    EXPECT_THAT(archive.error().message, HasSubstr(complaint));
  }
  const auto missing = open(R"({"weight_map":{"a":"three.safetensors"}})");
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("three.safetensors"));
}

TEST(Safetensors, RefusesARepeatedNameAcrossShards) {
  const test::TempDir dir;
  const auto written = write_weights(dir.path(), {{"a", Tensor::zeros({4})}, {"a", Tensor::zeros({4})}}, 16);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace quern::formats
