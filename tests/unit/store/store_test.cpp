#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  Result<StoredModel> add(const std::string& name, const std::string& content = "GGUF", bool replace = false,
                          const std::string& file = "m.gguf") {
    QUERN_TRY(Staging staging, store_.stage("source of " + name));
    std::ofstream(staging.model() / file) << content;
    StoredModel model;
    model.name = name;
    model.source = "source of " + name;
    return store_.add(std::move(staging), std::move(model), replace);
  }
  test::TempDir folder_;
  const Store store_{folder_ / "root"};
};

TEST_F(StoreTest, AnEmptyOne) {
  EXPECT_TRUE(store_.list().empty());
  EXPECT_TRUE(store_.unfinished().empty());
  EXPECT_TRUE(store_.remove_unfinished().ok());
  EXPECT_EQ(store_.find("x").error().code, ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(store_.root())) << "looking makes nothing";
}

TEST_F(StoreTest, AddsListsAndFinds) {
  ASSERT_TRUE(add("small").ok());
  ASSERT_TRUE(add("org/big", "tensors", false, "model.safetensors").ok());
  const std::vector<StoredModel> models = store_.list();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "org/big");
  EXPECT_EQ(models[0].kind(), "safetensors");
  EXPECT_EQ(models[0].entry(), models[0].path);
  EXPECT_EQ(models[1].name, "small");
  EXPECT_EQ(models[1].kind(), "gguf");
  EXPECT_EQ(models[1].size(), 4u);
  EXPECT_EQ(models[1].source, "source of small");
  EXPECT_EQ(models[1].entry(), models[1].path / "m.gguf");
  ASSERT_EQ(models[1].files.size(), 1u);
  EXPECT_EQ(models[1].files[0].sha256.size(), 64u);
  EXPECT_TRUE(store_.unfinished().empty()) << "nothing is left of the staging";
}

TEST_F(StoreTest, ResolvesPathsNamesAndSources) {
  ASSERT_TRUE(add("small").ok());
  std::ofstream(folder_ / "file.gguf") << "GGUF";
  EXPECT_EQ(store_.resolve((folder_ / "file.gguf").string()).value(), folder_ / "file.gguf");
  EXPECT_EQ(store_.resolve("small").value(), store_.root() / "models/small/m.gguf");
  EXPECT_EQ(store_.resolve("source of small").value(), store_.root() / "models/small/m.gguf");
  const Error error = store_.resolve("smal").error();
  EXPECT_EQ(error.code, ErrorCode::not_found);
  EXPECT_EQ(error.hint, "did you mean 'small'?");
  EXPECT_EQ(store_.resolve("hf:org/repo").error().hint, "'quern pull hf:org/repo' fetches it");
  EXPECT_EQ(store_.resolve("../models/small").error().code, ErrorCode::not_found);
}

TEST_F(StoreTest, NamesAreTakenOnce) {
  ASSERT_TRUE(add("small", "old").ok());
  EXPECT_EQ(add("small", "new").error().code, ErrorCode::conflict);
  EXPECT_EQ(read_file(store_.find("small")->entry()).value(), "old");
  ASSERT_TRUE(add("small", "new", true, "other.gguf").ok());
  EXPECT_EQ(read_file(store_.find("small")->entry()).value(), "new");
  EXPECT_FALSE(std::filesystem::exists(store_.root() / "models/small/m.gguf"));
  EXPECT_EQ(add("small/inner").error().code, ErrorCode::conflict);
  ASSERT_TRUE(add("org/a").ok());
  EXPECT_EQ(add("org").error().code, ErrorCode::conflict);
}

TEST_F(StoreTest, RefusesWhatIsNoName) {
  for (const char* name : {"", "..", "a/../b", "/etc", "a/b/c", "a b", ".hidden", "-x", "a/", "a/.b"})
    EXPECT_EQ(store_.check_name(name, true).error().code, ErrorCode::invalid_argument) << name;
}

TEST_F(StoreTest, RemovesWholeModels) {
  ASSERT_TRUE(add("org/a").ok());
  ASSERT_TRUE(store_.remove("org/a").ok());
  EXPECT_TRUE(store_.list().empty());
  EXPECT_TRUE(std::filesystem::is_empty(store_.root() / "models"));
  EXPECT_EQ(store_.remove("org/a").error().code, ErrorCode::not_found);
}

TEST_F(StoreTest, ADamagedRecordHidesOneModelOnly) {
  ASSERT_TRUE(add("a").ok());
  ASSERT_TRUE(add("b").ok());
  for (const char* text : {"", "{", "{}", R"({"source": "", "revision": "", "pulled": "", "files": [1]})"}) {
    std::ofstream(store_.root() / "models/a/source.json") << text;
    ASSERT_EQ(store_.list().size(), 1u) << text;
    EXPECT_EQ(store_.list()[0].name, "b");
  }
}

TEST_F(StoreTest, OnePullOfASourceAtATime) {
  {
    const Staging staging = store_.stage("hf:org/repo").value();
    EXPECT_EQ(store_.stage("hf:org/repo").error().code, ErrorCode::conflict);
    EXPECT_TRUE(store_.stage("hf:org/other").ok());
    EXPECT_EQ(store_.remove_unfinished().error().code, ErrorCode::conflict) << "not what is under way";
    std::ofstream(staging.downloads() / "m.gguf.part") << "half";
  }
  const Staging again = store_.stage("hf:org/repo").value();
  EXPECT_EQ(read_file(again.downloads() / "m.gguf.part").value(), "half") << "what came is kept";
}

TEST_F(StoreTest, UnfinishedPullsAreNamedAndRemoved) {
  {
    const Staging staging = store_.stage("hf:org/repo").value();
    std::ofstream(staging.downloads() / "m.gguf.part") << std::string(1000, 'x');
  }
  const auto pulls = store_.unfinished();
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].source, "hf:org/repo");
  EXPECT_GE(pulls[0].bytes, 1000u);
  EXPECT_TRUE(store_.remove_unfinished().ok());
  EXPECT_TRUE(store_.unfinished().empty());
}

TEST(StoreRoot, FromTheEnvironment) {
  ::setenv("HOME", "/home/me", 1);
  ::unsetenv("QUERN_HOME");
  ::unsetenv("XDG_DATA_HOME");
  EXPECT_EQ(Store::default_root(), "/home/me/.local/share/quern");
  ::setenv("XDG_DATA_HOME", "/data", 1);
  EXPECT_EQ(Store::default_root(), "/data/quern");
  ::setenv("QUERN_HOME", "/models", 1);
  EXPECT_EQ(Store::default_root(), "/models");
}

}  // namespace
}  // namespace quern::store
