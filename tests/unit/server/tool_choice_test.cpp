#include "server/tool_choice.h"

#include "unit/server/api_fixture.h"

namespace quern::server {
namespace {

using test::Json;
using testing::HasSubstr;

Json tool(const std::string& name, const Json& parameters) {
  return {{"type", "function"}, {"function", {{"name", name}, {"parameters", parameters}}}};
}

class ToolChoiceTest : public test::ApiTest {
 protected:
  ToolChoiceTest() {
    hi_["tools"] = {tool("here", {{"properties", {{"x", {{"enum", {7}}}}}}, {"required", {"x"}}}),
                    tool("there", nullptr)};
  }
  // The calls of an answer, as name and arguments in one.
  std::vector<std::string> calls(const Json& choice) {
    hi_["tool_choice"] = choice;
    const Json answer = post("/v1/chat/completions", hi_)["choices"][0];
    EXPECT_EQ(answer["finish_reason"], "tool_calls") << answer.dump();
    std::vector<std::string> calls;
    for (const Json& call : answer["message"].value("tool_calls", Json::array())) {
      const Json& function = call["function"];
      const Json arguments = Json::parse(function["arguments"].get<std::string>());
      calls.push_back(function["name"].get<std::string>() + arguments.dump());
    }
    return calls;
  }
  std::string refused(const std::string& key, const Json& value) {
    Json body = hi_;
    body[key] = value;
    return refusal("/v1/chat/completions", body);
  }
};

// The model wants to say something else, and must call.
TEST_F(ToolChoiceTest, CallsWhereItMust) {
  serve(std::string(200, '-'));
  hi_["parallel_tool_calls"] = false;
  EXPECT_THAT(calls("required"), testing::SizeIs(1));
  const Json there = {{"type", "function"}, {"function", {{"name", "there"}}}};
  EXPECT_THAT(calls(there), testing::ElementsAre("there{}"));
  const Json here = {{"type", "function"}, {"function", {{"name", "here"}}}};
  EXPECT_THAT(calls(here), testing::ElementsAre("here{\"x\":7}"));
  EXPECT_THAT(
      calls({{"type", "allowed_tools"}, {"allowed_tools", {{"mode", "required"}, {"tools", {there}}}}}),
      testing::ElementsAre("there{}"));
  hi_["stream"] = true;
  std::string name;
  for (const Json& chunk : events("/v1/chat/completions", hi_)) {
    for (const Json& call : chunk["choices"][0]["delta"].value("tool_calls", Json::array()))
      name += call["function"].value("name", "");
  }
  EXPECT_EQ(name, "there");
}

TEST_F(ToolChoiceTest, IsFreeWhereItMay) {
  for (const Json& choice : {Json("auto"), Json("none"), Json(nullptr)}) {
    hi_["tool_choice"] = choice;
    EXPECT_EQ(post("/v1/chat/completions", hi_)["choices"][0]["message"]["content"], "Hello \u00fc!");
  }
}

// What a call has begun with, it goes on with.
TEST_F(ToolChoiceTest, HoldsACallThatBegan) {
  serve("{\"name\": \"there\", \"arguments\": {\"no\": 1}}; {\"name\": \"here\"");
  hi_["parallel_tool_calls"] = false;
  EXPECT_THAT(calls("auto"), testing::ElementsAre("there{}"));
}

TEST_F(ToolChoiceTest, OneCallWhereNoGrammarHolds) {
  serve("{\"name\":\"there\",\"arguments\":{}} {\"name\":\"there\",\"arguments\":{}}");
  EXPECT_THAT(calls("auto"), testing::SizeIs(2));
  hi_["parallel_tool_calls"] = false;
  EXPECT_THAT(calls("auto"), testing::SizeIs(1));
}

TEST_F(ToolChoiceTest, RefusesWhatItCannotHold) {
  EXPECT_THAT(refused("tool_choice", "always"), HasSubstr("tool_choice must be"));
  EXPECT_THAT(refused("tool_choice", {{"type", "function"}}), HasSubstr("tool_choice must be"));
  EXPECT_THAT(refused("tool_choice", {{"type", "function"}, {"function", {{"name", "ther"}}}}),
              HasSubstr("did you mean 'there'?"));
  EXPECT_THAT(refused("parallel_tool_calls", "no"), HasSubstr("parallel_tool_calls must be"));
  hi_["tool_choice"] = "required";
  EXPECT_THAT(refused("tools", nullptr), HasSubstr("there are no tools"));
  EXPECT_THAT(refused("response_format", {{"type", "json_object"}}), HasSubstr("both"));
  // A schema that cannot be enforced fails its own request only, and holds nobody where no call is required.
  const Json odd = {{"type", "object"}, {"not", {{"type", "object"}}}};
  EXPECT_THAT(refused("tools", Json::array({tool("here", nullptr), tool("odd", odd)})), HasSubstr("'odd'"));
  hi_["tool_choice"] = "auto";
  hi_["tools"] = Json::array({tool("odd", odd)});
  EXPECT_EQ(post("/v1/chat/completions", hi_)["choices"][0]["message"]["content"], "Hello \u00fc!");
  hi_["tools"][0]["function"]["strict"] = true;
  EXPECT_THAT(refused("tool_choice", "auto"), HasSubstr("'odd'"));
}

}  // namespace
}  // namespace quern::server
