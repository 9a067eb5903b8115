#include "server/http_parser.h"

#include <gtest/gtest.h>

namespace quern::server {
namespace {

// Feeds `bytes` cut at `cut`; what the parser did not take comes again with the rest.
HttpParser::State feed(HttpParser& parser, std::string_view bytes, size_t cut, size_t& used) {
  used = 0;
  for (const size_t end : {cut, bytes.size()}) {
    while (used < end && parser.state() != HttpParser::State::complete &&
           parser.state() != HttpParser::State::failed) {
      const HttpParser::State before = parser.state();
      const size_t taken = parser.feed(bytes.substr(used, end - used));
      used += taken;
      if (taken == 0 && parser.state() == before) break;
    }
  }
  return parser.state();
}

TEST(HttpParser, CutsDoNotMatter) {
  const std::string request =
      "POST /p?q=1 HTTP/1.1\r\nHost: h\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4\r\nabcd\r\n1\r\ne\r\n0\r\n\r\n";
  const std::string more = request + "GET /next";
  for (size_t cut = 0; cut <= request.size(); ++cut) {
    HttpParser parser({});
    size_t used = 0;
    ASSERT_EQ(feed(parser, more, cut, used), HttpParser::State::complete) << cut;
    EXPECT_EQ(used, request.size());
    EXPECT_TRUE(parser.keep_alive());
    const HttpRequest taken = parser.take();
    EXPECT_EQ(taken.body, "abcde");
    EXPECT_EQ(taken.path, "/p");
    EXPECT_EQ(taken.query.at("q"), "1");
    EXPECT_EQ(taken.header("x-a"), "b");
  }
}

TEST(HttpParser, AHeadWithoutEndIsRefusedAtTheLimit) {
  HttpParser parser({.header_bytes = 1000});
  std::string input = "GET / HTTP/1.1\r\n";
  while (parser.state() == HttpParser::State::head && input.size() < 5000) {
    input += "X: yyyyyyyyyyyyyyy\r\n";
    input.erase(0, parser.feed(input));
  }
  EXPECT_EQ(parser.state(), HttpParser::State::failed);
  EXPECT_EQ(parser.failure().status, 431);
}

TEST(HttpParser, BodyBytesGrowAsTheyCome) {
  HttpParser parser({});
  std::string input = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc";
  while (!input.empty()) input.erase(0, parser.feed(input));
  EXPECT_EQ(parser.state(), HttpParser::State::body);
  EXPECT_EQ(parser.body_bytes(), 3u);
}

TEST(HttpMessage, DecodesQueriesAndPercents) {
  EXPECT_EQ(percent_decode("a%20b+c").value(), "a b+c");
  EXPECT_EQ(percent_decode("%e2%82%AC").value(), "\xE2\x82\xAC");
  for (const char* bad : {"%", "%4", "a%4", "%g1", "%%41"}) EXPECT_FALSE(percent_decode(bad)) << bad;
  const auto query = parse_query("a=1&&b&c=%3D=x&=v").value();
  EXPECT_EQ(query, (std::map<std::string, std::string>{{"a", "1"}, {"b", ""}, {"c", "==x"}, {"", "v"}}));
  EXPECT_FALSE(parse_query("a=1&b=%"));
}

}  // namespace
}  // namespace quern::server
