#include "server/responses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/server/api_fixture.h"

namespace quern::server::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ResponsesTest : public ApiTest {
 protected:
  // Typed events, numbered, without [DONE].
  std::vector<Json> typed_events(const Json& body) {
    const auto reply = ask("POST", "/v1/responses", body);
    EXPECT_EQ(reply->status(), 200) << reply->body();
    std::vector<Json> events;
    std::string rest = reply->body();
    for (size_t end; (end = rest.find("\n\n")) != std::string::npos; rest.erase(0, end + 2)) {
      const std::string event = rest.substr(0, end);
      const size_t line = event.find("\ndata: ");
      EXPECT_TRUE(event.starts_with("event: ") && line != std::string::npos) << event;
      events.push_back(Json::parse(event.substr(line + 7)));
      EXPECT_EQ(event.substr(7, line - 7), events.back()["type"]);
      EXPECT_EQ(events.back()["sequence_number"], events.size() - 1);
    }
    return events;
  }
  Json body_ = {{"input", "hi"}, {"temperature", 0}};
};

TEST_F(ResponsesTest, AnswersText) {
  const Json response = post("/v1/responses", body_);
  EXPECT_EQ(response["object"], "response");
  EXPECT_EQ(response["status"], "completed");
  EXPECT_EQ(response["model"], "model");
  ASSERT_EQ(response["output"].size(), 1u);
  EXPECT_EQ(response["output"][0]["role"], "assistant");
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "Hello \u00fc!");
  EXPECT_EQ(response["usage"]["input_tokens"], 4);
  EXPECT_EQ(response["usage"]["output_tokens"], 9);
  EXPECT_EQ(response["tool_choice"], "auto");
  EXPECT_EQ(response["text"]["format"]["type"], "text");
  body_["max_output_tokens"] = 2;
  const Json cut = post("/v1/responses", body_);
  EXPECT_EQ(cut["status"], "incomplete");
  EXPECT_EQ(cut["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(cut["output"][0]["content"][0]["text"], "He");
}

TEST_F(ResponsesTest, TellsEveryStepOfAStream) {
  body_["stream"] = true;
  body_["include"] = {"message.output_text.logprobs"};
  const std::vector<Json> events = typed_events(body_);
  std::vector<std::string> types;
  std::string text;
  size_t logprobs = 0;
  for (const Json& event : events) {
    if (types.empty() || types.back() != event["type"]) types.push_back(event["type"]);
    if (event["type"] != "response.output_text.delta") continue;
    text += event["delta"].get<std::string>();
    logprobs += event["logprobs"].size();
    EXPECT_EQ(event["item_id"], events.back()["response"]["output"][0]["id"]);
  }
  EXPECT_THAT(types, ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                                 "response.content_part.added", "response.output_text.delta",
                                 "response.output_text.done", "response.content_part.done",
                                 "response.output_item.done", "response.completed"));
  EXPECT_EQ(text, "Hello \u00fc!");
  EXPECT_EQ(logprobs, 9u);
  EXPECT_TRUE(events[0]["response"]["output"].empty());
  EXPECT_EQ(events.back()["response"]["output"][0]["content"][0]["logprobs"].size(), 9u);
}

TEST_F(ResponsesTest, CallsFunctions) {
  serve("{\"name\": \"f\", \"arguments\": {\"x\": 1}}");
  body_["tools"] = {{{"type", "function"}, {"name", "f"}, {"parameters", Json::object()}}};
  const Json item = post("/v1/responses", body_)["output"][0];
  EXPECT_EQ(item["type"], "function_call");
  EXPECT_EQ(item["name"], "f");
  EXPECT_EQ(item["arguments"], "{\"x\": 1}");
  body_["stream"] = true;
  std::string arguments;
  for (const Json& event : typed_events(body_)) {
    if (event["type"] == "response.function_call_arguments.delta")
      arguments += event["delta"].get<std::string>();
    if (event["type"] == "response.function_call_arguments.done") {
      EXPECT_EQ(event["arguments"], arguments);
    }
  }
  EXPECT_EQ(arguments, "{\"x\": 1}");
}

TEST_F(ResponsesTest, TellsReasoningApart) {
  serve("<think>so</think>Yes");
  body_["stream"] = true;
  std::string thought;
  Json last;
  for (const Json& event : typed_events(body_)) {
    if (event["type"] == "response.reasoning_text.delta") thought += event["delta"].get<std::string>();
    last = event;
  }
  EXPECT_EQ(thought, "so");
  const Json& output = last["response"]["output"];
  ASSERT_EQ(output.size(), 2u);
  EXPECT_EQ(output[0]["type"], "reasoning");
  EXPECT_EQ(output[0]["content"][0]["text"], "so");
  EXPECT_EQ(output[1]["content"][0]["text"], "Yes");
  EXPECT_GT(last["response"]["usage"]["output_tokens_details"]["reasoning_tokens"], 8);
}

TEST_F(ResponsesTest, FollowsAnEarlierOne) {
  caller_ = std::make_shared<const Caller>(Caller{.name = "alice"});
  const Json first = post("/v1/responses", body_);
  const std::string path = "/v1/responses/" + first["id"].get<std::string>();
  EXPECT_EQ(Json::parse(ask("GET", path)->body()), first);
  body_["previous_response_id"] = first["id"];
  // <|user|> hi <|assistant|> and the nine bytes with their end, and the question again.
  EXPECT_EQ(post("/v1/responses", body_)["usage"]["input_tokens"], 4 + 10 + 4);
  caller_ = std::make_shared<const Caller>(Caller{.name = "eve"});
  EXPECT_THAT(refusal("/v1/responses", body_, 404), HasSubstr("no response"));
  EXPECT_EQ(ask("GET", path)->status(), 404);
  EXPECT_EQ(ask("DELETE", path)->status(), 404);
  caller_ = std::make_shared<const Caller>(Caller{.name = "alice"});
  EXPECT_EQ(Json::parse(ask("DELETE", path)->body())["deleted"], true);
  EXPECT_EQ(ask("GET", path)->status(), 404);
  body_.erase("previous_response_id");
  body_["store"] = false;
  const std::string id = post("/v1/responses", body_)["id"];
  EXPECT_EQ(ask("GET", "/v1/responses/" + id)->status(), 404);
}

TEST_F(ResponsesTest, HoldsAnswersToASchema) {
  const Json schema = {{"type", "object"}, {"properties", {{"x", {{"enum", {7}}}}}}, {"required", {"x"}}};
  body_["text"] = {{"format", {{"type", "json_schema"}, {"name", "f"}, {"schema", schema}}}};
  const Json response = post("/v1/responses", body_);
  EXPECT_EQ(Json::parse(response["output"][0]["content"][0]["text"].get<std::string>()), Json({{"x", 7}}));
  EXPECT_EQ(response["text"]["format"]["name"], "f");
}

TEST_F(ResponsesTest, SaysWhatIsWrong) {
  const auto refused = [&](const std::string& key, const Json& value, int status = 400) {
    Json body = body_;
    body[key] = value;
    return refusal("/v1/responses", body, status);
  };
  EXPECT_THAT(refusal("/v1/responses", Json::array()), HasSubstr("the body must be an object"));
  EXPECT_THAT(refusal("/v1/responses", Json::object()), HasSubstr("input must be"));
  EXPECT_THAT(refused("input", 5), HasSubstr("input must be"));
  EXPECT_THAT(refused("input", Json::array()), HasSubstr("messages are missing"));
  EXPECT_THAT(refused("input", {5}), HasSubstr("input[0] must be an object"));
  EXPECT_THAT(refused("input", {{{"role", "king"}, {"content", "hi"}}}), HasSubstr("input[0].role"));
  EXPECT_THAT(refused("input", {{{"role", "user"}, {"content", {{{"type", "input_image"}}}}}}),
              HasSubstr("input_image"));
  EXPECT_THAT(refused("input", {{{"type", "web_search_call"}}}), HasSubstr("web_search_call"));
  EXPECT_THAT(refused("input", {{{"type", "function_call"}, {"name", 1}}}), HasSubstr("input[0]"));
  EXPECT_THAT(refused("tools", {{{"type", "web_search"}}}), HasSubstr("web_search"));
  EXPECT_THAT(refused("tools", {{{"type", "function"}}}), HasSubstr("tools must be"));
  EXPECT_THAT(refused("text", "json"), HasSubstr("text must be an object"));
  EXPECT_THAT(refused("metadata", {{"a", 1}}), HasSubstr("metadata"));
  EXPECT_THAT(refused("background", true), HasSubstr("background"));
  EXPECT_THAT(refused("store", "yes"), HasSubstr("store"));
  EXPECT_THAT(refused("previous_response_id", "resp_none", 404), HasSubstr("resp_none"));
  EXPECT_THAT(refused("n", 2), HasSubstr("n is not for responses"));
  EXPECT_EQ(ask("GET", "/v1/responses/none")->status(), 404);
}

}  // namespace
}  // namespace quern::server::test
