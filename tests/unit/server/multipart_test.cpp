#include "server/multipart.h"

#include <gtest/gtest.h>

namespace quern::server {
namespace {

constexpr const char* kType = "multipart/form-data; boundary=X1";

TEST(Multipart, ReadsFieldsAndFiles) {
  const std::string body =
      "preamble\r\n--X1\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
      "--X1\r\ncontent-disposition: form-data; name=file; filename=\"a \\\"b\\\".jsonl\"\r\n"
      "Content-Type: application/jsonl\r\n\r\n{\"a\": 1}\r\n--X\r\n\r\n--X1\r\n"
      "Content-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--X1--\r\n";
  const auto parts = parse_form("Multipart/Form-Data; charset=utf-8; boundary=\"X1\"", body).value();
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].name, "purpose");
  EXPECT_EQ(parts[0].content, "batch");
  EXPECT_EQ(parts[1].name, "file");
  EXPECT_EQ(parts[1].filename, "a \"b\".jsonl");
  EXPECT_EQ(parts[1].content, "{\"a\": 1}\r\n--X\r\n");
  EXPECT_EQ(parts[2].content, "");
}

TEST(Multipart, RefusesWhatIsNone) {
  const std::string head = "--X1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
  for (const std::string& body :
       {std::string(), std::string("--X1"), std::string("--X1\r\n"), std::string("--X2--"), head,
        head + "text", head + "text\r\n--X1", head + "text--X1--", std::string("--X1\r\n\r\n\r\n--X1--"),
        std::string("--X1\r\n--X1--"),
        std::string("--X1\r\nContent-Disposition: form-data\r\n\r\nx\r\n--X1--")}) {
    EXPECT_FALSE(parse_form(kType, body).ok()) << body;
  }
  const std::string good = head + "x\r\n--X1--";
  EXPECT_TRUE(parse_form(kType, good).ok());
  for (const char* type : {"", "application/json", "multipart/form-data",
                           "multipart/form-data; boundary=", "multipart/form-data; boundary",
                           "multipart/form-data; =X1", "multipart/mixed; boundary=X1"}) {
    EXPECT_FALSE(parse_form(type, good).ok()) << type;
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += head + "x\r\n";
  EXPECT_FALSE(parse_form(kType, many + "--X1--").ok());
  EXPECT_FALSE(parse_form(kType, "--X1\r\nX: " + std::string(10'000, 'x') + "\r\n\r\nx\r\n--X1--").ok());
}

// Whatever is cut off, nothing is read beyond the end.
TEST(Multipart, SurvivesEveryCut) {
  const std::string body =
      "--X1\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nx\r\n--X1--\r\n";
  for (size_t size = 0; size < body.size(); ++size) {
    const std::string cut = body.substr(0, size);
    const bool whole = size >= body.size() - 2;
    EXPECT_EQ(parse_form(kType, cut).ok(), whole) << size;
  }
}

}  // namespace
}  // namespace quern::server
