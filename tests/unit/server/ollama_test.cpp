#include "server/ollama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "unit/server/api_fixture.h"
#include "unit/server/tiny_encoder.h"

namespace quern::server::test {
namespace {

using testing::HasSubstr;

class OllamaTest : public ApiTest {
 protected:
  std::vector<Json> lines(const std::string& path, const Json& body) {
    const auto reply = ask("POST", path, body);
    EXPECT_EQ(reply->status(), 200) << reply->body();
    EXPECT_EQ(reply->content_type(), "application/x-ndjson");
    std::vector<Json> lines;
    std::istringstream text(reply->body());
    for (std::string line; std::getline(text, line);) {
      lines.push_back(Json::parse(line));
      EXPECT_EQ(lines.back()["model"], "model");
    }
    EXPECT_EQ(lines.back()["done"], true);
    return lines;
  }
  std::string refused(const std::string& path, const std::string& key, const Json& value, int status = 400) {
    Json body = path == "/api/chat" ? chat_ : generate_;
    body[key] = value;
    return post(path, body, status)["error"].get<std::string>();
  }

  Json chat_ = {{"model", "model"},
                {"messages", {{{"role", "user"}, {"content", "hi"}}}},
                {"options", {{"temperature", 0}, {"num_ctx", 4096}, {"seed", -1}}}};
  Json generate_ = {{"model", "model:latest"}, {"prompt", "hi"}, {"options", {{"temperature", 0}}}};
};

TEST_F(OllamaTest, StreamsAConversation) {
  std::string text;
  const std::vector<Json> all = lines("/api/chat", chat_);
  for (const Json& line : all) {
    EXPECT_EQ(line["message"]["role"], "assistant");
    text += line["message"]["content"].get<std::string>();
  }
  EXPECT_EQ(text, "Hello \u00fc!");
  EXPECT_EQ(all.back()["done_reason"], "stop");
  EXPECT_EQ(all.back()["prompt_eval_count"], 4);
  EXPECT_EQ(all.back()["eval_count"], 9);
  EXPECT_GT(all.back()["total_duration"].get<int64_t>(), 0);
  EXPECT_GT(all.size(), 3u);
}

TEST_F(OllamaTest, GoesOnFromAPrompt) {
  generate_["stream"] = false;
  EXPECT_EQ(post("/api/generate", generate_)["response"], "Hello \u00fc!");
  generate_["options"]["num_predict"] = 2;
  Json cut = post("/api/generate", generate_);
  EXPECT_EQ(cut["response"], "He");
  EXPECT_EQ(cut["done_reason"], "length");
  generate_["raw"] = true;
  generate_["prompt"] = "abcd";
  cut = post("/api/generate", generate_);
  EXPECT_EQ(cut["response"], "He");
  EXPECT_EQ(cut["prompt_eval_count"], 4);
  generate_["prompt"] = "";
  EXPECT_EQ(post("/api/generate", generate_)["done_reason"], "load");
  generate_["keep_alive"] = 0;
  EXPECT_EQ(post("/api/generate", generate_)["done_reason"], "unload");
}

TEST_F(OllamaTest, HoldsAnswersToAForm) {
  chat_["stream"] = false;
  chat_["format"] = {{"type", "object"}, {"properties", {{"x", {{"enum", {7}}}}}}, {"required", {"x"}}};
  EXPECT_EQ(Json::parse(post("/api/chat", chat_)["message"]["content"].get<std::string>()), Json({{"x", 7}}));
}

TEST_F(OllamaTest, CallsToolsAndThinks) {
  serve("<think>so</think>{\"name\": \"f\", \"arguments\": {\"x\": 1}}");
  chat_["tools"] = {{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", Json::object()}}}}};
  std::string thinking;
  const std::vector<Json> all = lines("/api/chat", chat_);
  for (const Json& line : all) thinking += line["message"].value("thinking", "");
  EXPECT_EQ(thinking, "so");
  EXPECT_EQ(all.back()["message"]["tool_calls"],
            Json::parse(R"([{"function": {"name": "f", "arguments": {"x": 1}}}])"));
}

TEST_F(OllamaTest, TellsLogprobs) {
  chat_["logprobs"] = true;
  chat_["top_logprobs"] = 2;
  size_t tokens = 0;
  for (const Json& line : lines("/api/chat", chat_)) tokens += line.value("logprobs", Json::array()).size();
  EXPECT_EQ(tokens, 9u);
}

TEST_F(OllamaTest, TellsOfItsModels) {
  const Json model = Json::parse(ask("GET", "/api/tags")->body())["models"][0];
  EXPECT_EQ(model["name"], "model");
  EXPECT_GT(model["size"].get<int64_t>(), 0);
  EXPECT_EQ(Json::parse(ask("GET", "/api/ps")->body())["models"][0]["model"], "model");
  const Json shown = post("/api/show", {{"model", "model"}});
  EXPECT_EQ(shown["capabilities"][0], "completion");
  EXPECT_GT(shown["model_info"]["general.parameter_count"].get<int64_t>(), 0);
  EXPECT_TRUE(Json::parse(ask("GET", "/api/version")->body())["version"].is_string());
}

TEST_F(OllamaTest, Embeds) {
  models_.add(tiny_encoder("tiny"));
  const Json one = post("/api/embed", {{"model", "tiny"}, {"input", "a b"}});
  ASSERT_EQ(one["embeddings"].size(), 1u);
  EXPECT_GT(one["prompt_eval_count"].get<int>(), 0);
  const Json two = post("/api/embed", {{"model", "tiny"}, {"input", {"a b", "c"}}});
  ASSERT_EQ(two["embeddings"].size(), 2u);
  EXPECT_EQ(two["embeddings"][0], one["embeddings"][0]);
  EXPECT_EQ(post("/api/embeddings", {{"model", "tiny"}, {"prompt", "a b"}})["embedding"],
            one["embeddings"][0]);
  EXPECT_TRUE(post("/api/embed", {{"model", "tiny"}, {"input", Json::array()}})["embeddings"].empty());
  EXPECT_EQ(post("/api/show", {{"model", "tiny"}})["capabilities"], Json::array({"embedding"}));
  EXPECT_EQ(Json::parse(ask("GET", "/api/tags")->body())["models"].size(), 2u);
  const auto refused = [&](const std::string& path, const Json& body) {
    return post(path, body, 400)["error"].get<std::string>();
  };
  EXPECT_THAT(refused("/api/embed", {{"model", "model"}, {"input", "a"}}), HasSubstr("model"));
  EXPECT_THAT(refused("/api/chat", {{"model", "tiny"}, {"messages", hi_["messages"]}}), HasSubstr("tiny"));
  EXPECT_THAT(refused("/api/generate", {{"model", "tiny"}, {"prompt", "a"}}), HasSubstr("tiny"));
  EXPECT_THAT(refused("/api/embed", {{"model", "tiny"}, {"input", {1, 2}}}), HasSubstr("input"));
}

TEST_F(OllamaTest, SaysWhatIsWrongInItsOwnWay) {
  EXPECT_THAT(refused("/api/chat", "model", "other", 404), HasSubstr("there are: model"));
  EXPECT_THAT(refused("/api/chat", "model", 5), HasSubstr("model must be text"));
  EXPECT_THAT(refused("/api/chat", "messages", "hi"), HasSubstr("messages must be a list"));
  EXPECT_THAT(refused("/api/chat", "messages", {5}), HasSubstr("a list of objects"));
  EXPECT_THAT(
      refused("/api/chat", "messages", {{{"role", "user"}, {"content", "hi"}, {"images", {"iVBORw0KGgo="}}}}),
      HasSubstr("images is not supported; models here read text only"));
  EXPECT_THAT(refused("/api/chat", "options", {{"temperature", "hot"}}), HasSubstr("temperature"));
  EXPECT_THAT(refused("/api/chat", "options", {{"temprature", 1}}), HasSubstr("did you mean 'temperature'?"));
  EXPECT_THAT(refused("/api/chat", "options", {{"n", 2}}), HasSubstr("options.n"));
  EXPECT_THAT(refused("/api/chat", "options", "fast"), HasSubstr("options must be an object"));
  EXPECT_THAT(refused("/api/chat", "format", "xml"), HasSubstr("format must be"));
  EXPECT_THAT(refused("/api/chat", "stream", "yes"), HasSubstr("stream must be"));
  EXPECT_THAT(refused("/api/chat", "think", 5), HasSubstr("think must be"));
  EXPECT_THAT(refused("/api/generate", "suffix", "end"), HasSubstr("suffix"));
  EXPECT_THAT(refused("/api/generate", "context", {1, 2}), HasSubstr("context"));
  EXPECT_THAT(refused("/api/generate", "prompt", 5), HasSubstr("prompt must be text"));
  EXPECT_THAT(post("/api/chat", "{", 400)["error"].get<std::string>(), HasSubstr("not valid JSON"));
}

}  // namespace
}  // namespace quern::server::test
