#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::text {

namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

ChatTemplates templates_of(const std::string& source) {
  return ChatTemplates::from_config(
             {{"bos_token", "<s>"}, {"eos_token", {{"content", "</s>"}}}, {"chat_template", source}},
             "tokenizer_config.json")
      .value();
}

ChatRequest said_by_user(std::string text) {
  ChatRequest request;
  request.messages = {{{"role", "user"}, {"content", std::move(text)}}};
  return request;
}

}  // namespace

TEST(ChatTemplate, ReadsTokenizerConfig) {
  ChatRequest request = said_by_user("Hi");
  request.add_generation_prompt = true;
  EXPECT_EQ(templates_of(kTemplate).render(request).value().text, "<s><user>Hi</s><assistant>");
  request.variables = {{"bos_token", "[B]"}};
  EXPECT_EQ(templates_of(kTemplate).render(request).value().text, "[B]<user>Hi</s><assistant>");
}

TEST(ChatTemplate, ChoosesAmongNamedTemplates) {
  const ChatTemplates templates =
      ChatTemplates::from_config({{"chat_template",
                                   {{{"name", "default"}, {"template", "d"}},
                                    {{"name", "tool_use"}, {"template", "t{{ tools|length }}"}},
                                    {{"name", "rag"}, {"template", "{{ documents[0].text }}"}}}}},
                                 "c")
          .value();
  ChatRequest request = said_by_user("x");
  EXPECT_EQ(templates.render(request).value().text, "d");
  request.tools = {{{"type", "function"}}};
  EXPECT_EQ(templates.render(request).value().text, "t1");
  request.template_name = "rag";
  request.documents = {{{"title", "a"}, {"text", "b"}}};
  EXPECT_EQ(templates.render(request).value().text, "b");
  request.template_name = "none";
  EXPECT_THAT(templates.render(request).error().message, HasSubstr("there are: default, rag, tool_use"));
  EXPECT_EQ(ChatTemplates().render(said_by_user("x")).error().code, ErrorCode::not_found);
}

TEST(ChatTemplate, RefusesABrokenConfig) {
  EXPECT_EQ(ChatTemplates::from_config(Json::array(), "c").error().code, ErrorCode::corrupt);
  EXPECT_EQ(ChatTemplates::from_config({{"chat_template", 1}}, "c").error().code, ErrorCode::corrupt);
  EXPECT_EQ(ChatTemplates::from_config({{"chat_template", {{{"name", 1}}}}}, "c").error().code,
            ErrorCode::corrupt);
  EXPECT_THAT(ChatTemplates::from_config({{"chat_template", "{% if %}"}}, "c").error().message,
              HasSubstr("chat template \"default\":1:7: expected an expression"));
}

TEST(ChatTemplate, RefusesBrokenMessages) {
  const ChatTemplates templates = templates_of(kTemplate);
  ChatRequest request;
  EXPECT_EQ(templates.render(request).error().code, ErrorCode::invalid_argument);
  request.messages = {"text"};
  EXPECT_THAT(templates.render(request).error().message, HasSubstr("message 0: expected an object"));
  request = said_by_user("x");
  request.variables = {{"messages", 1}};
  EXPECT_THAT(templates.render(request).error().message, HasSubstr("\"messages\""));
}

TEST(ChatTemplate, DropsNullFieldsAndAliasesReasoning) {
  const ChatTemplates templates = templates_of(
      "{% for m in messages %}{{ m.content is defined }},{{ m.thinking }},{{ m.reasoning_content }};{% "
      "endfor %}");
  ChatRequest request;
  request.messages = {{{"role", "assistant"}, {"content", nullptr}, {"reasoning", "r"}},
                      {{"role", "assistant"}, {"content", ""}, {"thinking", "t"}}};
  EXPECT_EQ(templates.render(request).value().text, "False,r,r;True,t,t;");
}

TEST(ChatTemplate, ContinuesTheLastMessage) {
  ChatRequest request = said_by_user("q");
  request.messages.push_back({{"role", "assistant"}, {"content", "part "}});
  request.continue_field = "content";
  EXPECT_EQ(templates_of(kTemplate).render(request).value().text, "<s><user>q</s><assistant>part ");
  EXPECT_EQ(
      templates_of("{% for m in messages %}[{{ m.content|trim }}]{% endfor %}").render(request).value().text,
      "[q][part");
  EXPECT_FALSE(templates_of("{% for m in messages %}{{ m.content[:1] }}{% endfor %}").render(request).ok());
  EXPECT_FALSE(templates_of("{{ messages|length }}").render(request).ok());
  request.add_generation_prompt = true;
  EXPECT_FALSE(templates_of(kTemplate).render(request).ok());
  request.add_generation_prompt = false;
  request.messages.back() = {{"role", "assistant"}, {"content", {{{"type", "text"}, {"text", "deep"}}}}};
  EXPECT_EQ(
      templates_of(
          "{% for m in messages %}{{ m.content if m.content is string else m.content[0].text }}{% endfor %}")
          .render(request)
          .value()
          .text,
      "qdeep");
}

TEST(ChatTemplate, LoadsAFolder) {
  const test::TempDir folder;
  EXPECT_TRUE(ChatTemplates::load(folder.path()).value().empty());
  ASSERT_TRUE(write_file_atomic(folder.path() / "tokenizer_config.json",
                                R"({"bos_token": "<s>", "chat_template": "old"})")
                  .ok());
  EXPECT_EQ(ChatTemplates::load(folder.path()).value().render(said_by_user("x")).value().text, "old");
  ASSERT_TRUE(write_file_atomic(folder.path() / "chat_template.jinja", "{{ bos_token }}new\n").ok());
  std::filesystem::create_directory(folder.path() / "additional_chat_templates");
  ASSERT_TRUE(write_file_atomic(folder.path() / "additional_chat_templates/rag.jinja", "rag").ok());
  const ChatTemplates loaded = ChatTemplates::load(folder.path()).value();
  ChatRequest request = said_by_user("x");
  EXPECT_EQ(loaded.render(request).value().text, "<s>new");
  request.template_name = "rag";
  EXPECT_EQ(loaded.render(request).value().text, "rag");
}

TEST(ChatTemplate, ReadsRequests) {
  const ChatRequest request = chat_request_from_json({{"model", "m"},
                                                      {"messages", {{{"role", "user"}}}},
                                                      {"tools", nullptr},
                                                      {"add_generation_prompt", true},
                                                      {"continue_final_message", true},
                                                      {"chat_template_kwargs", {{"k", 1}}}})
                                  .value();
  EXPECT_EQ(request.messages.size(), 1U);
  EXPECT_TRUE(request.tools.is_null());
  EXPECT_TRUE(request.add_generation_prompt);
  EXPECT_EQ(request.continue_field, "content");
  EXPECT_EQ(request.variables["k"], 1);
  EXPECT_EQ(chat_request_from_json({{"messages", "x"}}).error().message,
            "messages: expected a list, got string");
}

TEST(ChatTemplate, KeepsTheOrderOfKeys) {
  ChatRequest request = said_by_user("q");
  request.tools = {{{"z", 1}, {"a", {{"y", 2.0}, {"b", nullptr}}}}};
  EXPECT_EQ(templates_of("{{ tools|tojson }}").render(request).value().text,
            R"([{"z": 1, "a": {"y": 2.0, "b": null}}])");
}

}  // namespace quern::text
