#include "base/base64.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

TEST(Base64, KnownStringsBothWays) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xFF\x00\xFE", "/wD+"}};
  for (const auto& [bytes, text] : cases) {
    const std::string exact = bytes.size() == 1 && text == "/wD+" ? std::string("\xFF\0\xFE", 3) : bytes;
    EXPECT_EQ(encode_base64(exact), text);
    EXPECT_EQ(decode_base64(text), exact);
  }
  EXPECT_EQ(decode_base64("Zm8"), "fo");  // padding may be left out
}

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* text : {"Z", "Zm9vY", "Zm 9v", "Zm9=v", "Zg===", "Zm-_"})
    EXPECT_FALSE(decode_base64(text)) << text;
}

}  // namespace
}  // namespace quern
