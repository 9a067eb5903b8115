#include "server/message_text.h"

#include <gtest/gtest.h>

namespace quern::server {
namespace {

using Json = nlohmann::ordered_json;

TEST(MessageText, JoinsPartsAndReadsArguments) {
  Json messages = Json::parse(R"([
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "content": null, "tool_calls": [
      {"function": {"name": "f", "arguments": "{\"b\": 1, \"a\": 2}"}},
      {"function": {"name": "f", "arguments": "{broken"}},
      {"function": {"name": "f", "arguments": "[1]"}}, {"function": 5}, 5]},
    5])");
  ASSERT_TRUE(normalize_messages(messages).ok());
  EXPECT_EQ(messages[0]["content"], "ab");
  EXPECT_EQ(messages[1]["content"], "");
  const Json& calls = messages[1]["tool_calls"];
  EXPECT_EQ(calls[0]["function"]["arguments"].dump(), R"({"b":1,"a":2})");
  EXPECT_EQ(calls[1]["function"]["arguments"], "{broken");
  EXPECT_EQ(calls[2]["function"]["arguments"], "[1]");
}

TEST(MessageText, RefusesImages) {
  Json messages =
      Json::parse(R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])");
  const Result<void> refused = normalize_messages(messages);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(refused.error().message.find("messages[0].content has a part of type image_url"),
            std::string::npos);
}

}  // namespace
}  // namespace quern::server
