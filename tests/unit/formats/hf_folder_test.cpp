#include "formats/hf_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::formats {
namespace {

using testing::HasSubstr;

void touch(const std::filesystem::path& path) { write_file_atomic(path, "{}").value(); }

TEST(ModelFolder, FindsTheFilesOfAModel) {
  const test::TempDir dir;
  for (const std::string_view name : {kConfigFile, kWeightsFile}) touch(dir.path() / name);
  const ModelFolder folder = ModelFolder::open(dir.path()).value();
  EXPECT_EQ(folder.config(), dir / "config.json");
  EXPECT_EQ(folder.weights().value(), dir / "model.safetensors");
  EXPECT_FALSE(folder.tokenizer_config());
  touch(dir.path() / kTokenizerConfigFile);
  EXPECT_EQ(folder.tokenizer_config(), dir / "tokenizer_config.json");
  // One file and shards at once: as transformers, the one file.
  touch(dir.path() / kWeightsIndexFile);
  EXPECT_EQ(folder.weights().value(), dir / "model.safetensors");
  std::filesystem::remove(dir / "model.safetensors");
  EXPECT_EQ(folder.weights().value(), dir / "model.safetensors.index.json");
}

TEST(ModelFolder, SaysWhatIsThereInsteadOfAModel) {
  const test::TempDir dir;
  const auto error = [&](const std::filesystem::path& path) { return ModelFolder::open(path).error(); };
  EXPECT_THAT(error(dir / "absent").message, HasSubstr("there is no model folder"));
  EXPECT_THAT(error(dir.path()).message, HasSubstr("has no config.json"));
  touch(dir / "tiny-Q4_K_M.gguf");
  EXPECT_THAT(error(dir / "tiny-Q4_K_M.gguf").message, HasSubstr("is a file"));
  EXPECT_THAT(error(dir.path()).hint, HasSubstr("tiny-Q4_K_M.gguf"));
  touch(dir / "adapter_config.json");
  EXPECT_THAT(error(dir.path()).hint, HasSubstr("base model"));
  EXPECT_EQ(error(dir.path()).code, ErrorCode::not_found);
}

TEST(ModelFolder, SaysWhichWeightsAreThereInstead) {
  const test::TempDir dir;
  touch(dir / "config.json");
  const ModelFolder folder = ModelFolder::open(dir.path()).value();
  EXPECT_EQ(folder.weights().error().code, ErrorCode::not_found);
  touch(dir / "pytorch_model.bin");
  touch(dir / "merges.txt");
  EXPECT_EQ(folder.weights().error().code, ErrorCode::unsupported);
  EXPECT_THAT(folder.weights().error().message, HasSubstr("only pytorch_model.bin"));
  touch(dir / "model-00001-of-00002.safetensors");
  EXPECT_THAT(folder.weights().error().hint, HasSubstr("model-00001-of-00002.safetensors"));
}

}  // namespace
}  // namespace quern::formats
