#include "server/response_input.h"

#include <gtest/gtest.h>

namespace quern::server {
namespace {

using Json = nlohmann::ordered_json;

// A whole exchange with a tool, as clients send it back.
TEST(ResponseInput, PutsCallsAndReasoningIntoTheirMessage) {
  const Json input = Json::parse(R"([
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
    {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c2", "output": "42"},
    {"type": "reasoning", "summary": [], "encrypted_content": "x"}
  ])");
  const Json messages = messages_of_input(input).value();
  ASSERT_EQ(messages.size(), 4u) << messages.dump(1);
  EXPECT_EQ(messages[0]["role"], "system");
  EXPECT_EQ(messages[1]["content"], "ab");
  EXPECT_EQ(messages[2]["content"], "Wait.");
  EXPECT_EQ(messages[2]["reasoning_content"], "hm");
  ASSERT_EQ(messages[2]["tool_calls"].size(), 2u);
  EXPECT_EQ(messages[2]["tool_calls"][1]["function"]["name"], "g");
  EXPECT_EQ(messages[3]["role"], "tool");
  EXPECT_EQ(messages[3]["name"], "g");
  EXPECT_EQ(messages[3]["tool_call_id"], "c2");
}

TEST(ResponseInput, RefusesWhatIsNone) {
  for (const char* input :
       {"null", "{}", "[null]", R"([{"type": 5}])", R"([{"type": "message", "role": 5}])",
        R"([{"role": "user", "content": 5}])", R"([{"role": "user", "content": [5]}])",
        R"([{"role": "user", "content": [{"type": "input_text", "text": 5}]}])",
        R"([{"type": "function_call"}])", R"([{"type": "function_call_output"}])",
        R"([{"type": "reasoning", "content": 5}])", R"([{"type": "reasoning", "content": [5]}])"}) {
    EXPECT_FALSE(messages_of_input(Json::parse(input)).ok()) << input;
  }
}

}  // namespace
}  // namespace quern::server
