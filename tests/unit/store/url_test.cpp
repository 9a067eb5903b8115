#include "store/url.h"

#include <gtest/gtest.h>

namespace quern::store {
namespace {

TEST(Url, TakesAnAddressApart) {
  const Url url = parse_url("https://me:p%40ss@Example.org/a%20b/model.gguf?sign=1#sha256=ab").value();
  EXPECT_EQ(url.origin(), "https://example.org:443");
  EXPECT_EQ(url.user, "me");
  EXPECT_EQ(url.password, "p@ss");
  EXPECT_EQ(url.fragment, "sha256=ab");
  EXPECT_EQ(url.text(), "https://example.org/a%20b/model.gguf?sign=1");
  EXPECT_EQ(url.display(), "https://example.org/a%20b/model.gguf");
  EXPECT_EQ(parse_url("https://h/x/my%20model.gguf").value().file_name(), "my model.gguf");
  EXPECT_EQ(parse_url("https://h:8080/x/").value().file_name(), "");
}

TEST(Url, RefusesWhatIsNotHttp) {
  for (const char* text : {"ftp://h/x", "file:///etc/passwd", "model.gguf", "https://", ""}) {
    EXPECT_FALSE(parse_url(text).ok()) << text;
  }
}

TEST(Url, JoinsReferences) {
  const Url base = parse_url("https://me:secret@h/simple/package/").value();
  EXPECT_EQ(join_url(base, "../../files/a.whl#sha256=1").value().text(), "https://h/files/a.whl");
  EXPECT_EQ(join_url(base, "../../files/a.whl").value().password, "secret");
  const Url elsewhere = join_url(base, "https://other/a.whl").value();
  EXPECT_EQ(elsewhere.text(), "https://other/a.whl");
  EXPECT_EQ(elsewhere.password, "");
  EXPECT_FALSE(join_url(base, "file:///etc/passwd").ok());
}

TEST(Url, KnowsTheLoopback) {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "[::1]"})
    EXPECT_TRUE(parse_url(std::string("http://") + host + ":80/x").value().is_loopback()) << host;
  for (const char* host : {"127.example.org", "128.0.0.1", "localhost.example.org"})
    EXPECT_FALSE(parse_url(std::string("http://") + host + "/x").value().is_loopback()) << host;
}

TEST(Url, EscapesPaths) { EXPECT_EQ(escape_path("a b/c#d%.gguf"), "a%20b/c%23d%25.gguf"); }

}  // namespace
}  // namespace quern::store
