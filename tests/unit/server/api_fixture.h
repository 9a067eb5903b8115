// The API over a model that says what it is told to say.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/exception.h"
#include "server/api.h"
#include "server/api_error.h"
#include "unit/server/awaited_reply.h"
#include "unit/server/saying.h"

namespace quern::server::test {

using Json = nlohmann::ordered_json;

class ApiTest : public testing::Test {
 protected:
  // <|user|> h i <|assistant|>: 4 tokens.
  ApiTest() { models_.add(saying("model", "Hello \u00fc!", 4)); }

  std::shared_ptr<AwaitedReply> ask(const std::string& method, const std::string& path,
                                    const Json& body = nullptr, HttpHeaders headers = {}) {
    auto reply = std::make_shared<AwaitedReply>();
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.caller = caller_;
    request.headers = std::move(headers);
    request.body = body.is_string() ? body.get<std::string>() : body.dump();
    try {
      router_.handle(std::move(request), reply);
    } catch (const Exception& refused) {
      reply->send(to_response(api_error_of(refused.error())));
    }
    reply->wait();
    return reply;
  }
  Json post(const std::string& path, const Json& body, int status = 200) {
    const auto reply = ask("POST", path, body);
    EXPECT_EQ(reply->status(), status) << reply->body();
    return Json::parse(reply->body());
  }
  std::string refusal(const std::string& path, const Json& body, int status = 400) {
    return post(path, body, status)["error"]["message"].get<std::string>();
  }
  // The documents of a stream of events, which ends as it should.
  std::vector<Json> events(const std::string& path, const Json& body) {
    const auto reply = ask("POST", path, body);
    EXPECT_EQ(reply->status(), 200);
    EXPECT_THAT(reply->content_type(), testing::HasSubstr("text/event-stream"));
    std::vector<Json> events;
    std::string rest = reply->body();
    bool done = false;
    for (size_t end; (end = rest.find("\n\n")) != std::string::npos; rest.erase(0, end + 2)) {
      const std::string data = rest.substr(0, end);
      EXPECT_TRUE(data.starts_with("data: ")) << data;
      EXPECT_FALSE(done);
      done = data == "data: [DONE]";
      if (!done) events.push_back(Json::parse(data.substr(6)));
    }
    EXPECT_TRUE(done);
    return events;
  }

  // A model that says something else takes the place of the first.
  void serve(const std::string& text) {
    models_ = ModelTable();
    models_.add(saying("model", text, 4));
  }

  std::shared_ptr<const Caller> caller_;  // who asks
  ModelTable models_;
  Router router_ = api_routes(models_);
  Json hi_ = {{"messages", {{{"role", "user"}, {"content", "hi"}}}}, {"temperature", 0}};
};

}  // namespace quern::server::test
