#include "store/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::vector<ListedFile> listed(std::initializer_list<const char*> paths) {
  std::vector<ListedFile> files;
  for (const char* path : paths) files.push_back({path, 1 << 20});
  return files;
}

// The chosen names, or the error's code and text.
std::vector<std::string> choose(const std::vector<ListedFile>& files, const std::string& selector = {}) {
  const auto chosen = choose_model_files(files, selector, "hf:org/repo");
  if (!chosen.ok()) return {std::string(name_of(chosen.error().code)), chosen.error().to_string()};
  std::vector<std::string> names;
  for (const ChosenFile& file : *chosen) names.push_back(file.name);
  return names;
}

const auto kQuants =
    listed({"README.md", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m.Q8_0.gguf", "m-IQ4_XS.gguf",
            "mmproj-m-f16.gguf", "BF16/m-BF16-00001-of-00002.gguf", "BF16/m-BF16-00002-of-00002.gguf"});

TEST(ModelFiles, ASafetensorsRepositoryWithoutItsDuplicates) {
  const auto files =
      listed({".gitattributes", "README.md", "config.json", "generation_config.json", "model.safetensors",
              "model.fp16.safetensors", "pytorch_model.bin", "flax_model.msgpack", "onnx/model.onnx",
              "onnx/config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
              "merges.txt", "runs/events.out"});
  EXPECT_THAT(
      choose(files),
      UnorderedElementsAre("config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                           "tokenizer_config.json", "chat_template.jinja", "merges.txt"));
}

TEST(ModelFiles, TheShardsOfAnIndex) {
  const auto files =
      listed({"config.json", "consolidated.safetensors", "model-00001-of-00002.safetensors",
              "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.model"});
  EXPECT_THAT(choose(files), UnorderedElementsAre("config.json", "model-00001-of-00002.safetensors",
                                                  "model-00002-of-00002.safetensors",
                                                  "model.safetensors.index.json", "tokenizer.model"));
}

TEST(ModelFiles, ASentenceEncoderInsideAPackage) {
  const auto files =
      listed({"pkg/__init__.py", "pkg/model/config.json", "pkg/model/model.safetensors",
              "pkg/model/modules.json", "pkg/model/1_Pooling/config.json", "pkg/model/tokenizer.json",
              "pkg/model/deeper/config.json", "pkg/model/deeper/model.safetensors"});
  EXPECT_THAT(choose(files), UnorderedElementsAre("config.json", "model.safetensors", "modules.json",
                                                  "1_Pooling/config.json", "tokenizer.json"));
}

TEST(ModelFiles, TheOnlyGguf) {
  EXPECT_THAT(choose(listed({"README.md", "mmproj-f16.gguf", "m.Q4_1.gguf"})), ElementsAre("m.Q4_1.gguf"));
  EXPECT_THAT(choose(listed({"m-00002-of-00002.gguf", "m-00001-of-00002.gguf"})),
              ElementsAre("m-00001-of-00002.gguf", "m-00002-of-00002.gguf"));
}

TEST(ModelFiles, ManyGgufsAskForOne) {
  const auto error = choose(kQuants);
  EXPECT_EQ(error.at(0), "invalid_argument");
  EXPECT_THAT(error.at(1), HasSubstr("5 GGUF models"));
  EXPECT_THAT(error.at(1), HasSubstr(":m-Q4_K_S.gguf  (1.00 MiB)"));
  EXPECT_THAT(error.at(1), HasSubstr("(2.00 MiB in 2 parts)"));
}

TEST(ModelFiles, ByFileOrQuantisation) {
  EXPECT_THAT(choose(kQuants, "Q4_K_M"), ElementsAre("m-Q4_K_M.gguf"));
  EXPECT_THAT(choose(kQuants, "q8_0"), ElementsAre("m.Q8_0.gguf"));
  EXPECT_THAT(choose(kQuants, "m-Q4_K_S.gguf"), ElementsAre("m-Q4_K_S.gguf"));
  EXPECT_THAT(choose(kQuants, "IQ4_XS"), ElementsAre("m-IQ4_XS.gguf"));
  for (const char* selector : {"BF16", "BF16/m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf"})
    EXPECT_THAT(choose(kQuants, selector),
                ElementsAre("m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf"));
  EXPECT_EQ(choose(kQuants, "Q4_XS").at(0), "not_found") << "no end of IQ4_XS";
  EXPECT_EQ(choose(listed({"a-Q4_0.gguf", "b-Q4_0.gguf"}), "Q4_0").at(0), "invalid_argument");
}

TEST(ModelFiles, MissingPartsAreNamed) {
  const auto error = choose(listed({"m-00001-of-00003.gguf", "m-00003-of-00003.gguf"}));
  EXPECT_EQ(error.at(0), "corrupt");
  EXPECT_THAT(error.at(1), HasSubstr("2 of its 3 parts"));
}

TEST(ModelFiles, NothingOfUse) {
  const auto error = choose(listed({"config.json", "pytorch_model.bin"}));
  EXPECT_EQ(error.at(0), "unsupported");
  EXPECT_THAT(error.at(1), HasSubstr("pytorch_model.bin"));
  EXPECT_EQ(choose({}).at(0), "unsupported");
  EXPECT_EQ(choose(listed({"config.json"}), "x").at(0), "not_found");
}

TEST(ModelFiles, SplitNames) {
  EXPECT_THAT(split_parts("m-00002-of-00003.gguf"),
              ElementsAre("m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"));
  for (const char* name :
       {"m.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "-00001-of-00001.gguf"})
    EXPECT_THAT(split_parts(name), ElementsAre(name));
}

TEST(ModelFiles, ReadableNames) {
  EXPECT_EQ(readable_name("SmolLM2-135M-Instruct.Q4_1.gguf"), "smollm2-135m-instruct-q4_1");
  EXPECT_EQ(readable_name("qwen2.5-0.5b-instruct-q4_k_m.gguf"), "qwen2.5-0.5b-instruct-q4_k_m");
  EXPECT_EQ(readable_name("Big Model-Q8_0-00001-of-00002.gguf"), "big-model-q8_0");
  EXPECT_EQ(readable_name("bundle.tar.gz"), "bundle");
  EXPECT_EQ(readable_name("...gguf"), "model");
}

}  // namespace
}  // namespace quern::store
