#include "server/embeddings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/json.h"
#include "server/api.h"
#include "server/serving_metrics.h"
#include "unit/server/awaited_reply.h"
#include "unit/server/saying.h"
#include "unit/server/tiny_encoder.h"

namespace quern::server {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

class EmbeddingsTest : public testing::Test {
 protected:
  EmbeddingsTest() {
    ServedModel model = tiny_encoder("tiny");
    metrics_.measure(model);
    models_.add(std::move(model));
    models_.add(saying("chatty", "Hello!", 4));
    models_.add(tiny_cross_encoder("scorer"));
  }
  Json post(const std::string& path, const Json& body, int status = 200) {
    const auto reply = std::make_shared<AwaitedReply>();
    handler_({.method = "POST", .path = path, .body = body.dump()}, reply);
    reply->wait();
    EXPECT_EQ(reply->status(), status) << reply->body();
    return Json::parse(reply->body());
  }
  Json embed(const Json& input, Json more = Json::object()) {
    more["input"] = input;
    more["model"] = "tiny";
    return post("/v1/embeddings", more);
  }
  std::string refusal(Json body, const std::string& path = "/v1/embeddings") {
    if (!body.contains("model")) body["model"] = "tiny";
    return post(path, body, 400)["error"]["message"];
  }

  ServingMetrics metrics_;
  ModelTable models_;
  Router router_ = api_routes(models_);
  HttpServer::Handler handler_ =
      answering_errors([this](HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
        router_.handle(std::move(request), reply);
      });
};

// The vectors that transformers made: see encoder_session_test.cpp.
TEST_F(EmbeddingsTest, AgreesWithTransformers) {
  const nlohmann::json golden = read_json_file(tiny_encoder_folder() / "expected.json").value();
  const Json answer = embed(golden["texts"]);
  EXPECT_EQ(answer["object"], "list");
  EXPECT_EQ(answer["model"], "tiny");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], answer["usage"]["total_tokens"]);
  const auto wanted = golden["embeddings"].get<std::vector<std::vector<double>>>();
  ASSERT_EQ(answer["data"].size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(answer["data"][i]["index"], i);
    EXPECT_EQ(answer["data"][i]["object"], "embedding");
    const auto got = answer["data"][i]["embedding"].get<std::vector<double>>();
    ASSERT_EQ(got.size(), wanted[i].size());
    for (size_t c = 0; c < got.size(); ++c) EXPECT_NEAR(got[c], wanted[i][c], 1e-5);
  }
}

TEST_F(EmbeddingsTest, TakesInputsInFourForms) {
  const Json one = embed("The miller grinds grain.");
  const Json expected = one["data"][0]["embedding"];
  EXPECT_EQ(one["usage"]["prompt_tokens"], 7);
  EXPECT_EQ(embed(Json::array({"wind", "The miller grinds grain."}))["data"][1]["embedding"], expected);
  const Json tokens =
      post("/tokenize", {{"model", "tiny"}, {"content", "The miller grinds grain."}})["tokens"];
  EXPECT_EQ(embed(tokens)["data"][0]["embedding"], expected);
  const Json lists = embed(Json::array({tokens, tokens}));
  EXPECT_EQ(lists["data"].size(), 2U);
  EXPECT_EQ(lists["data"][1]["embedding"], expected);
}

TEST_F(EmbeddingsTest, WritesVectorsInBase64) {
  const auto numbers = embed("wind")["data"][0]["embedding"].get<std::vector<float>>();
  const std::string text = embed("wind", {{"encoding_format", "base64"}})["data"][0]["embedding"];
  const std::string bytes = decode_base64(text).value();
  ASSERT_EQ(bytes.size(), numbers.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(bytes.data(), numbers.data(), bytes.size()), 0);
}

TEST_F(EmbeddingsTest, CutsVectorsToFewerDimensions) {
  const auto whole = embed("wind")["data"][0]["embedding"].get<std::vector<double>>();
  const auto cut = embed("wind", {{"dimensions", 3}})["data"][0]["embedding"].get<std::vector<double>>();
  ASSERT_EQ(cut.size(), 3U);
  EXPECT_NEAR(std::hypot(cut[0], cut[1], cut[2]), 1.0, 1e-6);
  EXPECT_NEAR(cut[1] / cut[0], whole[1] / whole[0], 1e-4);
}

TEST_F(EmbeddingsTest, SaysWhatIsWrong) {
  EXPECT_THAT(refusal(Json::object()), HasSubstr("input is missing"));
  EXPECT_THAT(refusal({{"input", Json::array()}}), HasSubstr("1 to 2048 texts, got 0"));
  EXPECT_THAT(refusal({{"input", 7}}), HasSubstr("input must be text"));
  EXPECT_THAT(refusal({{"input", {"a", 7}}}), HasSubstr("input must be text"));
  EXPECT_THAT(refusal({{"input", {1, "a"}}}), HasSubstr("input must be text"));
  EXPECT_THAT(refusal({{"input", {1, 1000000}}}), HasSubstr("token 1000000"));
  EXPECT_THAT(refusal({{"input", {-5}}}), HasSubstr("token -1"));
  EXPECT_THAT(refusal({{"input", "a"}, {"dimensions", 17}}), HasSubstr("at most 16"));
  EXPECT_THAT(refusal({{"input", "a"}, {"dimensions", -1}}), HasSubstr("dimensions"));
  EXPECT_THAT(refusal({{"input", "a"}, {"encoding_format", "hex"}}), HasSubstr("encoding_format"));
  std::string text;
  for (int i = 0; i < 30; ++i) text += "wind ";
  EXPECT_THAT(refusal({{"input", text}}), HasSubstr("has 32 tokens, but the model reads 24"));
  EXPECT_THAT(refusal({{"input", text}}), HasSubstr("\"truncate\": true"));
  EXPECT_EQ(embed(text, {{"truncate", true}})["usage"]["prompt_tokens"], 24);
}

TEST_F(EmbeddingsTest, ModelsAreAskedForWhatTheyAreFor) {
  EXPECT_THAT(refusal({{"model", "chatty"}, {"input", "a"}}), HasSubstr("makes no embeddings"));
  EXPECT_THAT(refusal({{"model", "scorer"}, {"input", "a"}}), HasSubstr("/v1/rerank"));
  EXPECT_THAT(refusal({{"messages", {{{"role", "user"}, {"content", "hi"}}}}}, "/v1/chat/completions"),
              HasSubstr("it is for /v1/embeddings"));
  EXPECT_THAT(refusal({{"prompt", "a"}}, "/v1/completions"), HasSubstr("writes none"));
  EXPECT_THAT(refusal({{"messages", {{{"role", "user"}, {"content", "hi"}}}}}, "/apply-template"),
              HasSubstr("writes none"));
  const auto reply = std::make_shared<AwaitedReply>();
  handler_({.method = "GET", .path = "/v1/models"}, reply);
  const Json list = Json::parse(reply->body())["data"];
  EXPECT_EQ(list[0]["kind"], "encoder");
  EXPECT_EQ(list[0]["max_model_len"], 24);
  EXPECT_EQ(list[1]["kind"], "decoder");
  EXPECT_EQ(list[2]["kind"], "cross-encoder");
}

TEST_F(EmbeddingsTest, IsMeasured) {
  embed(Json::array({"wind", "water"}));
  const std::string text = metrics_.text();
  EXPECT_THAT(text, HasSubstr("quern_requests_total{finish=\"stop\",model=\"tiny\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("quern_request_seconds_count{model=\"tiny\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("quern_prompt_tokens_total{model=\"tiny\"} 6\n"));
}

}  // namespace
}  // namespace quern::server
