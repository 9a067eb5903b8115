#include "server/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/server/api_fixture.h"

namespace quern::server::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ApiTest, ListsModels) {
  const Json list = Json::parse(ask("GET", "/v1/models")->body());
  EXPECT_EQ(list["data"][0]["id"], "model");
  EXPECT_EQ(list["data"][0]["created"], 7);
  EXPECT_EQ(Json::parse(ask("GET", "/v1/models/model")->body())["object"], "model");
  EXPECT_EQ(ask("GET", "/v1/models/other")->status(), 404);
  EXPECT_EQ(Json::parse(ask("GET", "/health")->body())["status"], "ok");
}

TEST_F(ApiTest, AnswersAConversation) {
  const Json answer = post("/v1/chat/completions", hi_);
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["model"], "model");
  ASSERT_EQ(answer["choices"].size(), 1u);
  EXPECT_EQ(answer["choices"][0]["message"]["role"], "assistant");
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "Hello \u00fc!");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 4);
  EXPECT_EQ(answer["usage"]["completion_tokens"], 9);
}

TEST_F(ApiTest, StreamsAConversation) {
  hi_["stream"] = true;
  hi_["stream_options"] = {{"include_usage", true}};
  hi_["n"] = 2;
  std::string text[2], finish[2];
  const auto chunks = events("/v1/chat/completions", hi_);
  EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
  for (const Json& chunk : chunks) {
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_EQ(chunk["id"], chunks[0]["id"]);
    for (const Json& choice : chunk["choices"]) {
      const size_t index = choice["index"];
      text[index] += choice["delta"].value("content", "");
      if (!choice["finish_reason"].is_null()) finish[index] = choice["finish_reason"];
    }
  }
  EXPECT_THAT(text, ElementsAre("Hello \u00fc!", "Hello \u00fc!"));
  EXPECT_THAT(finish, ElementsAre("stop", "stop"));
  EXPECT_EQ(chunks.back()["usage"]["completion_tokens"], 18);
  EXPECT_TRUE(chunks.back()["choices"].empty());
}

TEST_F(ApiTest, TellsLogprobsOfAConversation) {
  hi_["logprobs"] = true;
  hi_["top_logprobs"] = 2;
  const Json content = post("/v1/chat/completions", hi_)["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), 9u);
  EXPECT_EQ(content[0]["token"], "H");
  EXPECT_EQ(content[0]["bytes"][0], 'H');
  EXPECT_NEAR(content[0]["logprob"].get<double>(), 0.0, 0.1);
  EXPECT_EQ(content[0]["top_logprobs"].size(), 2u);
  hi_["stream"] = true;
  size_t tokens = 0;
  for (const Json& chunk : events("/v1/chat/completions", hi_)) {
    const Json& logprobs = chunk["choices"][0]["logprobs"];
    if (!logprobs.is_null()) tokens += logprobs["content"].size();
  }
  EXPECT_EQ(tokens, 9u);
}

TEST_F(ApiTest, StopsWhereItIsTold) {
  hi_["stop"] = "lo";
  EXPECT_EQ(post("/v1/chat/completions", hi_)["choices"][0]["message"]["content"], "Hel");
  hi_["stop"] = Json::array({"!", "\u00fc"});
  EXPECT_EQ(post("/v1/chat/completions", hi_)["choices"][0]["message"]["content"], "Hello ");
  hi_["stop"] = nullptr;
  hi_["max_completion_tokens"] = 2;
  const Json answer = post("/v1/chat/completions", hi_);
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "He");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
}

TEST_F(ApiTest, CallsTools) {
  ModelTable models;
  models.add(saying("caller", "{\"name\": \"f\", \"arguments\": {\"x\": 1}}", 4));
  router_ = api_routes(models);
  hi_["tools"] = {{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", Json::object()}}}}};
  const Json choice = post("/v1/chat/completions", hi_)["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["arguments"], "{\"x\": 1}");
  hi_["stream"] = true;
  std::string name, arguments;
  for (const Json& chunk : events("/v1/chat/completions", hi_)) {
    for (const Json& call : chunk["choices"][0]["delta"].value("tool_calls", Json::array())) {
      name += call["function"].value("name", "");
      arguments += call["function"].value("arguments", "");
    }
  }
  EXPECT_EQ(name, "f");
  EXPECT_EQ(arguments, "{\"x\": 1}");
  hi_.erase("stream");
  hi_["tool_choice"] = "none";
  EXPECT_THAT(post("/v1/chat/completions", hi_)["choices"][0]["message"]["content"].get<std::string>(),
              HasSubstr("\"f\""));
}

// The model wants to say something else, but may not.
TEST_F(ApiTest, HoldsAnswersToAForm) {
  const auto content = [&](const std::string& key, const Json& value) {
    Json body = hi_;
    body[key] = value;
    return post("/v1/chat/completions", body)["choices"][0]["message"]["content"].get<std::string>();
  };
  EXPECT_EQ(content("regex", "[a-c]{4}"), "aaaa");
  EXPECT_EQ(content("grammar", "root ::= \"yes\" | \"no\""), "no");
  const Json schema = {{"type", "object"}, {"properties", {{"x", {{"enum", {7}}}}}}, {"required", {"x"}}};
  EXPECT_EQ(Json::parse(content("json_schema", schema)), Json({{"x", 7}}));
  EXPECT_EQ(Json::parse(content("response_format", {{"type", "json_schema"},
                                                    {"json_schema", {{"name", "f"}, {"schema", schema}}}})),
            Json({{"x", 7}}));
  EXPECT_EQ(content("response_format", {{"type", "text"}}), "Hello \u00fc!");
  const auto refused = [&](const std::string& key, const Json& value) {
    Json body = hi_;
    body[key] = value;
    return refusal("/v1/chat/completions", body);
  };
  EXPECT_THAT(refused("response_format", "json"), HasSubstr("response_format must be"));
  EXPECT_THAT(refused("response_format", {{"type", "xml"}}), HasSubstr("xml"));
  EXPECT_THAT(refused("regex", 5), HasSubstr("regex must be text"));
  EXPECT_THAT(refused("regex", "(a"), HasSubstr("column 3: expected ')'"));
  hi_["regex"] = "a";
  EXPECT_THAT(refused("grammar", "root ::= \"a\""), HasSubstr("both"));
}

TEST_F(ApiTest, GoesOnFromTextsAndTokens) {
  const Json one = post("/v1/completions", {{"prompt", "abcd"}, {"temperature", 0}});
  EXPECT_EQ(one["object"], "text_completion");
  EXPECT_EQ(one["choices"][0]["text"], "Hello \u00fc!");
  const auto ids = models_.all()[0].model->loaded->tokenizer.encode("abcd");
  EXPECT_EQ(post("/v1/completions", {{"prompt", ids}, {"temperature", 0}})["choices"][0]["text"],
            "Hello \u00fc!");
  const Json many =
      post("/v1/completions",
           {{"prompt", {"abcd", "abcde"}}, {"temperature", 0}, {"n", 2}, {"max_tokens", 3}, {"echo", true}});
  std::vector<std::string> texts;
  for (const Json& choice : many["choices"]) texts.push_back(choice["text"]);
  EXPECT_THAT(texts, ElementsAre("abcdHel", "abcdHel", "abcdeell", "abcdeell"));
  EXPECT_EQ(many["usage"]["prompt_tokens"], 9);
  EXPECT_EQ(many["usage"]["completion_tokens"], 12);
}

// As lm-evaluation-harness scores: the log-probabilities of what was given.
TEST_F(ApiTest, ScoresTexts) {
  const Json choice = post("/v1/completions", {{"prompt", "abcdHe"},
                                               {"max_tokens", 0},
                                               {"echo", true},
                                               {"logprobs", 1},
                                               {"temperature", 0}})["choices"][0];
  EXPECT_EQ(choice["text"], "abcdHe");
  const Json& logprobs = choice["logprobs"];
  EXPECT_THAT(logprobs["tokens"].get<std::vector<std::string>>(), ElementsAre("a", "b", "c", "d", "H", "e"));
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_NEAR(logprobs["token_logprobs"][4].get<double>(), 0.0, 0.1);
  EXPECT_LT(logprobs["token_logprobs"][1].get<double>(), -1.0);
  EXPECT_THAT(logprobs["text_offset"].get<std::vector<int>>(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(logprobs["top_logprobs"][5].size(), 1u);
}

TEST_F(ApiTest, StreamsCompletions) {
  std::string text;
  for (const Json& chunk :
       events("/v1/completions", {{"prompt", "abcd"}, {"temperature", 0}, {"stream", true}, {"echo", true}}))
    text += chunk["choices"][0]["text"].get<std::string>();
  EXPECT_EQ(text, "abcdHello \u00fc!");
}

TEST_F(ApiTest, TokenizesAndBack) {
  const Json tokens = post("/tokenize", {{"content", "hi"}});
  EXPECT_EQ(tokens["count"], 2);
  EXPECT_EQ(post("/detokenize", {{"tokens", tokens["tokens"]}})["content"], "hi");
  EXPECT_EQ(post("/tokenize", {{"prompt", "hi"}, {"with_pieces", true}})["tokens"][1]["piece"], "i");
  EXPECT_EQ(post("/tokenize", hi_)["count"], 4);
  EXPECT_EQ(post("/apply-template", hi_)["prompt"], "<|user|>hi<|assistant|>");
  EXPECT_THAT(refusal("/detokenize", {{"tokens", {1, -2}}}), HasSubstr("got -2"));
}

TEST_F(ApiTest, SaysWhatIsWrong) {
  const std::string chat = "/v1/chat/completions";
  const auto with = [&](const std::string& key, const Json& value) {
    Json body = hi_;
    body[key] = value;
    return body;
  };
  EXPECT_THAT(refusal(chat, "{\"messages\": "), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(chat, Json::array()), HasSubstr("expected an object"));
  EXPECT_THAT(refusal(chat, Json::object()), HasSubstr("messages are missing"));
  EXPECT_THAT(refusal(chat, with("messages", "hi")), HasSubstr("messages"));
  EXPECT_THAT(refusal(chat, with("model", "gpt-4"), 404), HasSubstr("there are: model"));
  EXPECT_THAT(refusal(chat, with("temperature", "hot")),
              HasSubstr("temperature must be number >= 0, got \"hot\""));
  EXPECT_THAT(refusal(chat, with("temperature", -1)), HasSubstr("number >= 0"));
  EXPECT_THAT(refusal(chat, with("top_p", 1.5)), HasSubstr("number in [0, 1]"));
  EXPECT_THAT(refusal(chat, with("n", 0)), HasSubstr("integer in [1, 128]"));
  EXPECT_THAT(refusal(chat, with("n", 1e30)), HasSubstr("integer"));
  EXPECT_THAT(refusal(chat, with("temprature", 1)), HasSubstr("did you mean 'temperature'?"));
  EXPECT_THAT(refusal(chat, with("logit_bias", {{"x", 1}})), HasSubstr("logit_bias"));
  EXPECT_THAT(refusal(chat, with("top_logprobs", 3)), HasSubstr("needs logprobs"));
  EXPECT_THAT(refusal("/v1/completions", {{"prompt", {1, 999999}}}), HasSubstr("token 999999"));
  EXPECT_THAT(refusal("/v1/completions", {{"prompt", ""}, {"n", 2}, {"best_of", 1}}), HasSubstr("best_of"));
  EXPECT_THAT(refusal("/v1/completions", Json::object()), HasSubstr("prompt is missing"));
  EXPECT_THAT(refusal("/v1/completions", {{"prompt", std::string(5000, 'x')}}), HasSubstr("5000 tokens"));
  // Parameters of other servers that nobody knows here are no reason to refuse.
  EXPECT_EQ(post(chat, with("guided_decoding_backend", "x"))["object"], "chat.completion");
}

TEST_F(ApiTest, AClientThatLeavesIsNotAnswered) {
  ModelTable models;
  models.add(saying("slow", std::string(2000, 'x'), 4));
  Router router = api_routes(models);
  auto reply = std::make_shared<AwaitedReply>();
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/chat/completions";
  hi_["stream"] = true;
  request.body = hi_.dump();
  router.handle(std::move(request), reply);
  reply->close();
  models.all()[0].model->engine->drain();
  EXPECT_EQ(models.all()[0].model->engine->stats().cancelled, 1);
}

}  // namespace
}  // namespace quern::server::test
