#include "server/rerank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "infer/embed.h"
#include "infer/predict.h"
#include "server/api.h"
#include "server/http_server.h"
#include "unit/server/awaited_reply.h"
#include "unit/server/saying.h"
#include "unit/server/tiny_encoder.h"

namespace quern::server {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

class RerankTest : public testing::Test {
 protected:
  RerankTest() {
    models_.add(tiny_encoder("tiny"));
    models_.add(tiny_cross_encoder("scorer"));
    models_.add(saying("chatty", "Hello!", 4));
  }
  Json post(const Json& body, int status = 200, const std::string& path = "/v1/rerank") {
    const auto reply = std::make_shared<AwaitedReply>();
    handler_({.method = "POST", .path = path, .body = body.dump()}, reply);
    reply->wait();
    EXPECT_EQ(reply->status(), status) << reply->body();
    return Json::parse(reply->body());
  }
  std::string refusal(const Json& body) { return post(body, 400)["error"]["message"]; }

  const std::vector<std::string> documents_ = {"The wind turns the mill.", "water",
                                               "The miller grinds grain."};
  ModelTable models_;
  Router router_ = api_routes(models_);
  HttpServer::Handler handler_ =
      answering_errors([this](HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
        router_.handle(std::move(request), reply);
      });
};

void expect_scores(const Json& answer, const std::vector<double>& wanted) {
  ASSERT_EQ(answer["results"].size(), wanted.size());
  double before = 2.0;
  for (const Json& result : answer["results"]) {
    const double score = result["relevance_score"];
    EXPECT_NEAR(score, wanted[result["index"].get<size_t>()], 1e-6);
    EXPECT_LE(score, before);
    before = score;
  }
}

TEST_F(RerankTest, CrossEncodersReadTheQueryWithEachDocument) {
  const Json answer = post({{"model", "scorer"}, {"query", "wind"}, {"documents", documents_}});
  const infer::EncoderSession& session = models_.all()[1].model->encoder->thread->session();
  std::vector<infer::TextOrPair> pairs;
  for (const std::string& document : documents_) pairs.push_back({"wind", document});
  std::vector<double> wanted;
  const auto all = infer::classify(session, pairs, infer::TooLong::refuse).value();
  for (const auto& labels : all) wanted.push_back(1.0 / (1.0 + std::exp(-labels[0].score)));
  expect_scores(answer, wanted);
  EXPECT_EQ(answer["model"], "scorer");
  EXPECT_GT(answer["usage"]["total_tokens"], 0);
}

TEST_F(RerankTest, EncodersReadThemApart) {
  const infer::EncoderSession& session = models_.all()[0].model->encoder->thread->session();
  std::vector<std::string> texts = documents_;
  texts.insert(texts.begin(), "wind");
  const auto vectors =
      infer::embed(session, texts, models_.all()[0].model->encoder->form, infer::TooLong::refuse).value();
  std::vector<double> wanted;
  for (size_t i = 1; i < vectors.size(); ++i) wanted.push_back(infer::cosine(vectors[0], vectors[i]));
  expect_scores(post({{"model", "tiny"}, {"query", "wind"}, {"documents", documents_}}), wanted);
}

TEST_F(RerankTest, GivesWhatIsAskedFor) {
  const Json all = post({{"model", "tiny"}, {"query", "wind"}, {"documents", documents_}});
  const size_t best = all["results"][0]["index"];
  EXPECT_EQ(all["results"][0]["document"]["text"], documents_[best]);
  const Json one = post({{"model", "tiny"},
                         {"query", "wind"},
                         {"documents", {{{"text", documents_[0]}}, documents_[1], documents_[2]}},
                         {"top_n", 1},
                         {"return_documents", false}},
                        200, "/rerank");
  ASSERT_EQ(one["results"].size(), 1U);
  EXPECT_EQ(one["results"][0]["index"], best);
  EXPECT_EQ(one["results"][0]["relevance_score"], all["results"][0]["relevance_score"]);
  EXPECT_FALSE(one["results"][0].contains("document"));
}

TEST_F(RerankTest, SaysWhatIsWrong) {
  EXPECT_THAT(refusal({{"model", "tiny"}, {"documents", documents_}}), HasSubstr("query"));
  EXPECT_THAT(refusal({{"model", "tiny"}, {"query", "a"}}),
              HasSubstr("documents must be a list of 1 to 2048 texts"));
  EXPECT_THAT(refusal({{"model", "tiny"}, {"query", "a"}, {"documents", Json::array()}}),
              HasSubstr("documents"));
  EXPECT_THAT(refusal({{"model", "tiny"}, {"query", "a"}, {"documents", {7}}}), HasSubstr("with \"text\""));
  EXPECT_THAT(refusal({{"model", "tiny"}, {"query", "a"}, {"documents", {"b"}}, {"top_n", -1}}),
              HasSubstr("top_n"));
  EXPECT_THAT(refusal({{"model", "chatty"}, {"query", "a"}, {"documents", {"b"}}}),
              HasSubstr("no embeddings"));
  std::string text;
  for (int i = 0; i < 60; ++i) text += "wind ";
  EXPECT_THAT(refusal({{"model", "scorer"}, {"query", "a"}, {"documents", {text}}, {"truncate", false}}),
              HasSubstr("tokens, but the model reads 40"));
  EXPECT_EQ(post({{"model", "scorer"}, {"query", "a"}, {"documents", {text}}})["usage"]["total_tokens"], 40);
}

}  // namespace
}  // namespace quern::server
