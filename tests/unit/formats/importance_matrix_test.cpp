#include "formats/gguf/importance_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/gguf/archive.h"
#include "formats/gguf/writer.h"
#include "support/temp_dir.h"

namespace quern::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ImportanceMatrix sample() {
  ImportanceMatrix matrix;
  matrix.entries["blk.0.attn_q.weight"] = {.sums = {1, 2, 3}, .counts = {2}};
  matrix.entries["blk.0.ffn_up_exps.weight"] = {.sums = {1, 2, 3, 4}, .counts = {4, 0}};
  matrix.datasets = {"text.txt"};
  matrix.chunk_count = 3;
  matrix.chunk_size = 512;
  return matrix;
}

// A file of these tensors, whatever they mean.
std::filesystem::path write(const std::filesystem::path& path,
                            const std::vector<std::pair<std::string, Tensor>>& tensors,
                            const std::string& type = "imatrix") {
  GgufMetadata metadata;
  metadata.set("general.type", type);
  std::vector<GgufTensorPlan> plans;
  for (const auto& [name, tensor] : tensors) plans.push_back({name, tensor.shape(), tensor.dtype()});
  GgufWriter writer = GgufWriter::create(path, metadata, plans).value();
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(writer.add(tensor).ok());
  EXPECT_TRUE(writer.finish().ok());
  return path;
}

TEST(ImportanceMatrix, ReadsWhatItWrote) {
  const test::TempDir folder;
  ASSERT_TRUE(write_importance_matrix(folder / "i.gguf", sample()).ok());
  const ImportanceMatrix read = read_importance_matrix(folder / "i.gguf").value();
  ASSERT_EQ(read.entries.size(), 2u);
  EXPECT_EQ(read.entries.at("blk.0.attn_q.weight").sums, sample().entries.at("blk.0.attn_q.weight").sums);
  EXPECT_THAT(read.entries.at("blk.0.ffn_up_exps.weight").counts, ElementsAre(4, 0));
  EXPECT_THAT(read.datasets, ElementsAre("text.txt"));
  EXPECT_EQ(read.chunk_count, 3u);
  EXPECT_EQ(read.chunk_size, 512u);
}

TEST(ImportanceMatrix, HasTheShapesOfLlamaCpp) {
  const test::TempDir folder;
  ASSERT_TRUE(write_importance_matrix(folder / "i.gguf", sample()).ok());
  const GgufArchive archive = GgufArchive::open(folder / "i.gguf").value();
  EXPECT_EQ(archive.find("blk.0.attn_q.weight.in_sum2")->describe(), "f32[3]");
  EXPECT_EQ(archive.find("blk.0.attn_q.weight.counts")->describe(), "f32[1]");
  EXPECT_EQ(archive.find("blk.0.ffn_up_exps.weight.in_sum2")->describe(), "f32[2, 2]");
  EXPECT_EQ(archive.find("blk.0.ffn_up_exps.weight.counts")->describe(), "f32[2, 1]");
}

TEST(ImportanceMatrix, MeansOfColumns) {
  const ImportanceMatrix matrix = sample();
  EXPECT_THAT(matrix.entries.at("blk.0.attn_q.weight").importance(), ElementsAre(0.5f, 1.0f, 1.5f));
  EXPECT_THAT(matrix.entries.at("blk.0.ffn_up_exps.weight").importance(),
              ElementsAre(0.25f, 0.5f, 1.0f, 1.0f));
}

TEST(ImportanceMatrix, AddsWhatAnotherSaw) {
  ImportanceMatrix matrix = sample(), other;
  other.entries["blk.0.attn_q.weight"] = {.sums = {10, 10, 10}, .counts = {8}};
  other.entries["blk.1.attn_q.weight"] = {.sums = {5}, .counts = {1}};
  other.datasets = {"other.txt"};
  other.chunk_count = 5, other.chunk_size = 256;
  ASSERT_TRUE(matrix.add(other).ok());
  EXPECT_THAT(matrix.entries.at("blk.0.attn_q.weight").sums, ElementsAre(11, 12, 13));
  EXPECT_THAT(matrix.entries.at("blk.0.attn_q.weight").counts, ElementsAre(10));
  EXPECT_EQ(matrix.entries.size(), 3u);
  EXPECT_THAT(matrix.datasets, ElementsAre("text.txt", "other.txt"));
  EXPECT_EQ(matrix.chunk_count, 5u);  // 3 of 512, and 5 of 256 tokens, which are 2 of 512
  EXPECT_EQ(matrix.chunk_size, 512u);

  other.entries["blk.1.attn_q.weight"].sums = {1, 2};
  const auto result = matrix.add(other);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::conflict);
  EXPECT_THAT(result.error().message, HasSubstr("blk.1.attn_q.weight has 1 columns"));
}

TEST(ImportanceMatrix, RefusesOtherFiles) {
  const test::TempDir folder;
  const auto refuses = [&](const std::vector<std::pair<std::string, Tensor>>& tensors, ErrorCode code,
                           const std::string& message, const std::string& type = "imatrix") {
    const auto read = read_importance_matrix(write(folder / "i.gguf", tensors, type));
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, code);
    EXPECT_THAT(read.error().message, HasSubstr(message));
  };
  const Tensor ones = Tensor::full({4}, 1.0), three = Tensor::full({3}, 1.0), one = Tensor::full({1}, 1.0);
  refuses({{"a.in_sum2", ones}, {"a.counts", one}}, ErrorCode::invalid_argument,
          "is 'model', expected 'imatrix'", "model");
  refuses({{"a.in_sum2", ones}}, ErrorCode::corrupt, "a.counts: the tensor is missing");
  refuses({{"a.in_sum2", ones}, {"a.counts", three}}, ErrorCode::corrupt, "4 sums do not belong to 3 counts");
  refuses({{"a.in_sum2", ones.to(DType::f16)}, {"a.counts", one}}, ErrorCode::corrupt,
          "expected f32, got f16[4]");
  refuses({{"a.in_sum2", Tensor::full({4}, -1.0)}, {"a.counts", one}}, ErrorCode::corrupt,
          "finite numbers, 0 or more");
  refuses({{"a.in_sum2", ones}, {"a.counts", Tensor::full({1}, NAN)}}, ErrorCode::corrupt, "finite numbers");
}

}  // namespace
}  // namespace quern::formats
