#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "formats/gguf/archive.h"
#include "formats/gguf/writer.h"
#include "gguf_bytes.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"

namespace quern::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tensor ramp(Shape shape, DType dtype = DType::f32) {
  const Tensor values(shape, DType::f32);
  std::iota(values.span<float>().begin(), values.span<float>().end(), -3.0f);
  return values.to(dtype);
}

Tensor random_blocks(Shape shape, DType dtype) {
  const Tensor tensor(shape, dtype);
  std::byte* bytes = static_cast<std::byte*>(tensor.raw());
  for (int64_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
  return tensor;
}

std::vector<std::byte> bytes_of(const Tensor& tensor) {
  const auto* bytes = static_cast<const std::byte*>(tensor.raw());
  return {bytes, bytes + tensor.bytes()};
}

// Writes `tensors` named "t0", "t1", ...
std::vector<std::filesystem::path> write(const std::filesystem::path& path,
                                         const std::vector<Tensor>& tensors, GgufMetadata metadata = {},
                                         uint64_t split_size = 0) {
  std::vector<GgufTensorPlan> plans;
  for (const Tensor& tensor : tensors) {
    plans.push_back({"t" + std::to_string(plans.size()), tensor.shape(), tensor.dtype()});
  }
  GgufWriter writer = GgufWriter::create(path, std::move(metadata), plans, split_size).value();
  for (const Tensor& tensor : tensors) writer.add(tensor).value();
  writer.finish().value();
  return writer.paths();
}

void expect_holds(const GgufArchive& archive, const std::vector<Tensor>& tensors) {
  ASSERT_EQ(archive.tensors().size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor read = archive.tensor("t" + std::to_string(i)).value();
    EXPECT_EQ(read.describe(), tensors[i].describe());
    EXPECT_EQ(bytes_of(read), bytes_of(tensors[i])) << i;
  }
}

GgufMetadata a_value_of_each_type() {
  GgufMetadata metadata;
  metadata.set("u8", uint8_t{200});
  metadata.set("i8", int8_t{-100});
  metadata.set("u16", uint16_t{60000});
  metadata.set("i16", int16_t{-30000});
  metadata.set("u32", uint32_t{4000000000});
  metadata.set("i32", int32_t{-2000000000});
  metadata.set("u64", uint64_t{1} << 63);
  metadata.set("i64", INT64_MIN);
  metadata.set("f32", 0.5f);
  metadata.set("f64", 0.1);
  metadata.set("bool", true);
  metadata.set("string", std::string("gr\xc3\xbc\xc3\x9f\x65\0", 8));
  metadata.set("strings", GgufArray(std::vector<std::string>{"a", "", "bc"}));
  metadata.set("bools", GgufArray(std::vector<bool>{true, false, true}));
  metadata.set("floats", GgufArray(std::vector<float>{0.25f}));
  metadata.set("none", GgufArray(std::vector<int16_t>{}));
  return metadata;
}

TEST(Gguf, ReadsWhatItWrites) {
  const test::TempDir dir;
  std::vector<Tensor> tensors = {
      ramp({2, 3, 5}),       ramp({7}, DType::f16),          ramp({1, 1, 1, 3}, DType::bf16),
      Tensor::zeros({0, 4}), Tensor::zeros({3}, DType::i32), ramp({})};
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (is_block(dtype) && !has_scales_beside(dtype)) tensors.push_back(random_blocks({3, 512}, dtype));
  }
  const GgufMetadata metadata = a_value_of_each_type();
  const std::filesystem::path path = dir.path() / "model.gguf";
  EXPECT_THAT(write(path, tensors, metadata), ElementsAre(path));
  const GgufArchive archive = GgufArchive::open(path).value();
  EXPECT_EQ(archive.version(), 3u);
  expect_holds(archive, tensors);
  for (const auto& [key, value] : metadata.entries()) {
    ASSERT_NE(archive.metadata().find(key), nullptr) << key;
    EXPECT_EQ(*archive.metadata().find(key), value) << key;
  }
  EXPECT_EQ(archive.metadata().get<int64_t>("general.quantization_version").value(), 2);
  for (const GgufTensor& tensor : archive.tensors()) EXPECT_EQ(tensor.begin % 32, 0u);
}

TEST(Gguf, SplitsBySize) {
  const test::TempDir dir;
  const std::vector<Tensor> tensors = {ramp({100}), ramp({100}), ramp({1000}), ramp({10}), ramp({10})};
  GgufMetadata metadata;
  metadata.set("general.alignment", uint32_t{64});
  metadata.set("general.name", std::string("x"));
  const auto paths = write(dir.path() / "m.gguf", tensors, metadata, 1000);
  EXPECT_THAT(paths, ElementsAre(dir.path() / "m-00001-of-00003.gguf", dir.path() / "m-00002-of-00003.gguf",
                                 dir.path() / "m-00003-of-00003.gguf"));
  for (const auto& path : paths) {  // from any file of the set
    const GgufArchive archive = GgufArchive::open(path).value();
    EXPECT_EQ(archive.file_count(), 3u);
    EXPECT_EQ(archive.metadata().get<std::string>("general.name").value(), "x");
    expect_holds(archive, tensors);
    for (const GgufTensor& tensor : archive.tensors()) EXPECT_EQ(tensor.begin % 64, 0u);
  }
  // Joined again, the file does not claim to be one of many.
  metadata = GgufArchive::open(paths[1]).value().metadata();
  EXPECT_NE(metadata.find("split.count"), nullptr);
  EXPECT_THAT(write(dir.path() / "whole.gguf", tensors, metadata, 100000),
              ElementsAre(dir.path() / "whole.gguf"));
  const GgufArchive whole = GgufArchive::open(dir.path() / "whole.gguf").value();
  EXPECT_EQ(whole.metadata().find("split.count"), nullptr);
  expect_holds(whole, tensors);
}

TEST(Gguf, ChecksTheFilesOfASplit) {
  const test::TempDir dir;
  const auto paths = write(dir.path() / "m.gguf", {ramp({64}), ramp({64})}, {}, 256);
  ASSERT_EQ(paths.size(), 2u);
  std::filesystem::rename(paths[1], dir.path() / "other");
  const auto missing = GgufArchive::open(paths[0]);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("m-00002-of-00002.gguf"));
  std::filesystem::copy_file(paths[0], paths[1]);
  EXPECT_THAT(GgufArchive::open(paths[0]).error().message, HasSubstr("split.no is 0, expected 1"));
  std::filesystem::rename(dir.path() / "other", dir.path() / "other.gguf");
  EXPECT_THAT(GgufArchive::open(dir.path() / "other.gguf").error().message,
              HasSubstr("split.no is 1, expected 0"));
  // Two files that hold the same tensor.
  std::filesystem::remove(paths[1]);
  GgufBytes twin;
  twin.head(1, 2).key("split.no", 2).number<uint16_t>(1).key("split.count", 2).number<uint16_t>(2);
  write_file_atomic(paths[1], twin.tensor("t0", {64}, 0, 0).data(256).text).value();
  EXPECT_THAT(GgufArchive::open(paths[0]).error().message, HasSubstr("tensor \"t0\" is in another file"));
}

TEST(Gguf, CopiesWhatIsNotAligned) {
  const test::TempDir dir;
  GgufBytes file;
  file.head(2, 1).key("general.alignment", 4).number<uint32_t>(1);
  file.tensor("a", {3}, 24, 0).tensor("b", {1}, 28, 3);
  if ((file.text.size() + 3) % sizeof(double) == 0) GTEST_FAIL() << "choose another name";
  file.text += "xyz";
  file.number(1.5);
  write_file_atomic(dir.path() / "odd.gguf", file.text).value();
  const Tensor b = GgufArchive::open(dir.path() / "odd.gguf").value().tensor("b").value();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.raw()) % sizeof(double), 0u);
  EXPECT_EQ(b.item(), 1.5);
}

TEST(Gguf, SaysWhatItCannotGive) {
  const test::TempDir dir;
  const GgufBytes file = GgufBytes().head(1, 0).tensor("q", {32}, 9, 0).data(36);
  write_file_atomic(dir.path() / "q.gguf", file.text).value();
  const GgufArchive archive = GgufArchive::open(dir.path() / "q.gguf").value();
  EXPECT_EQ(archive.tensor("q").error().code, ErrorCode::unsupported);
  EXPECT_EQ(archive.tensor("r").error().code, ErrorCode::not_found);
  write_file_atomic(dir.path() / "bad.gguf", std::string_view("GGUF")).value();
  EXPECT_THAT(GgufArchive::open(dir.path() / "bad.gguf").error().message,
              HasSubstr("bad.gguf: gguf: the version takes"));
}

TEST(GgufWriter, RefusesWhatReadersWould) {
  const test::TempDir dir;
  const auto refuse = [&](std::vector<GgufTensorPlan> plans, std::string_view complaint,
                          GgufMetadata metadata = {}) {
    const auto writer = GgufWriter::create(dir.path() / "m.gguf", std::move(metadata), std::move(plans));
    ASSERT_FALSE(writer.ok()) << complaint;
    EXPECT_EQ(writer.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(writer.error().message, HasSubstr(complaint));
  };
  refuse({{"w", {1}}, {"w", {1}}}, "\"w\" is repeated");
  refuse({{"", {1}}}, "has 0 bytes");
  refuse({{std::string(64, 'n'), {1}}}, "has 64 bytes, expected 1 to 63");
  refuse({{"w", {1, 1, 1, 1, 1}}}, "5 dimensions, expected at most 4");
  refuse({{"w", {1}, DType::boolean}}, "a dtype that the format does not have");
  refuse({{"w", {2, 48}, DType::q4_0}}, "no whole blocks of 32");
  GgufMetadata metadata;
  metadata.set("general.alignment", uint32_t{4});
  refuse({}, "general.alignment is 4, expected a power of two from 8", metadata);
  GgufMetadata empty;
  empty.set("", true);
  refuse({}, "the metadata key \"\" has 0 bytes", empty);
}

TEST(GgufWriter, LeavesNothingBehindWhenItIsDropped) {
  const test::TempDir dir;
  const std::filesystem::path path = dir.path() / "m.gguf";
  {
    GgufWriter writer = GgufWriter::create(path, {}, {{"w", {2}}}).value();
    EXPECT_THROW(writer.add(Tensor::zeros({3})).value(), ShapeError);
    EXPECT_THROW(writer.finish().value(), InternalError);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

// tools/goldens/gguf_file.py
TEST(GgufGolden, ReadsAFileOfThePythonPackage) {
  const GgufArchive archive = GgufArchive::open(QUERN_SOURCE_DIR "/tests/golden/gguf/python.gguf").value();
  const GgufMetadata& metadata = archive.metadata();
  EXPECT_EQ(metadata.get<std::string>("general.architecture").value(), "llama");
  EXPECT_EQ(metadata.get<int64_t>("general.alignment").value(), 64);
  const std::pair<std::string_view, std::string> expected[] = {
      {"test.u8", "u8 200"},
      {"test.i8", "i8 -100"},
      {"test.u16", "u16 60000"},
      {"test.i16", "i16 -30000"},
      {"test.u32", "u32 4000000000"},
      {"test.i32", "i32 -2000000000"},
      {"test.u64", "u64 9223372036854775809"},
      {"test.i64", "i64 -4611686018427387904"},
      {"test.f32", "f32 0.5"},
      {"test.f64", "f64 0.1"},
      {"test.bool", "bool true"},
      {"test.strings", "array of 3 string"},
      {"test.bytes", "array of 3 u8"},
  };
  for (const auto& [key, value] : expected) {
    ASSERT_NE(metadata.find(key), nullptr) << key;
    EXPECT_EQ(describe(*metadata.find(key)), value) << key;
  }
  EXPECT_EQ(metadata.get<std::string>("test.string").value(), "gr\xc3\xbc\xc3\x9f\x65\n");
  EXPECT_THAT(metadata.get<std::vector<std::string>>("test.strings").value(), ElementsAre("a", "", "bc"));
  EXPECT_THAT(metadata.get<std::vector<int64_t>>("test.ints").value(), ElementsAre(1, -2, 3));
  EXPECT_THAT(metadata.get<std::vector<double>>("test.floats").value(), ElementsAre(0.25, -0.5));
  EXPECT_THAT(metadata.get<std::vector<bool>>("test.bools").value(), ElementsAre(true, false));
  EXPECT_THAT(metadata.get<std::vector<uint64_t>>("test.bytes").value(), ElementsAre(1, 2, 255));

  EXPECT_EQ(archive.tensor("plain.f32")->describe(), "f32[1, 2, 3]");
  EXPECT_THAT(archive.tensor("plain.f32")->span<float>(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(static_cast<float>(archive.tensor("plain.f16")->data<float16>()[4]), 4.0f);
  EXPECT_THAT(archive.tensor("plain.i32")->span<int32_t>(), ElementsAre(7, -8));
  EXPECT_EQ(archive.tensor("ramp.Q8_0")->describe(), "Q8_0[2, 256]");
  EXPECT_EQ(archive.tensor("ramp.Q4_0")->bytes(), 2 * 8 * 18);
  EXPECT_EQ(static_cast<float>(archive.tensor("ramp.BF16")->data<bfloat16>()[256]), 0.0f);
  for (const GgufTensor& tensor : archive.tensors()) EXPECT_EQ(tensor.begin % 64, 0u);
}

}  // namespace
}  // namespace quern::formats
