#include "data/examples/read_example.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace quern::data {
namespace {

using Json = nlohmann::ordered_json;

Json row_of(std::string_view row, const ExampleOptions& options = {}) {
  Example example;
  const Refusal refusal = read_example(row, options, example);
  EXPECT_FALSE(refusal) << name_of(refusal.fault) << ": " << refusal.what;
  Json json = to_json(example);
  // What is written is read as the same again.
  Example again;
  EXPECT_FALSE(read_example(json.dump(), {}, again));
  EXPECT_TRUE(again == example) << to_json(again).dump() << " instead of " << json.dump();
  return json;
}

std::string fault_of(std::string_view row, const ExampleOptions& options = {}) {
  Example example;
  return std::string(name_of(read_example(row, options, example).fault));
}

TEST(ReadExample, Alpaca) {
  EXPECT_EQ(row_of(R"({"instruction": "Add.", "input": "1 and 2", "output": "3"})"),
            Json::parse(R"({"messages": [{"role": "user", "content": "Add.\n1 and 2"},
                                         {"role": "assistant", "content": "3"}]})"));
  EXPECT_EQ(row_of(R"({"instruction": "Hi", "input": "", "output": "Ho", "system": "Be kind.",
                       "history": [["a", "b"]]})"),
            Json::parse(R"({"messages": [{"role": "system", "content": "Be kind."},
                {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]})"));
  EXPECT_EQ(row_of(R"({"instruction": "Hi", "chosen": "Ho", "rejected": "No"})"),
            Json::parse(R"({"prompt": [{"role": "user", "content": "Hi"}],
                "chosen": [{"role": "assistant", "content": "Ho"}],
                "rejected": [{"role": "assistant", "content": "No"}]})"));
  EXPECT_EQ(fault_of(R"({"instruction": "Hi"})"), "missing_field");
  EXPECT_EQ(fault_of(R"({"instruction": "Hi", "output": ""})"), "empty_answer");
  EXPECT_EQ(fault_of(R"({"instruction": "", "output": "x"})"), "no_prompt");
  EXPECT_EQ(fault_of(R"({"instruction": 3, "output": "x"})"), "bad_value");
  EXPECT_EQ(fault_of(R"({"instruction": "a", "output": "x", "history": [["a"]]})"), "bad_value");
}

TEST(ReadExample, ShareGpt) {
  EXPECT_EQ(row_of(R"({"conversations": [{"from": "human", "value": "Weather?"},
                {"from": "gpt", "value": "One moment."},
                {"from": "function_call", "value": "{\"name\": \"sky\", \"arguments\": {\"at\": 3}}"},
                {"from": "observation", "value": "rain"}, {"from": "gpt", "value": "It rains."}],
              "system": "Be dry.", "tools": "[{\"name\": \"sky\", \"parameters\": {}}]"})"),
            Json::parse(R"({"messages": [{"role": "system", "content": "Be dry."},
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": "One moment.", "tool_calls": [{"type": "function",
                  "function": {"name": "sky", "arguments": {"at": 3}}}]},
                {"role": "tool", "content": "rain"}, {"role": "assistant", "content": "It rains."}],
              "tools": [{"type": "function", "function": {"name": "sky", "parameters": {}}}]})"));
  EXPECT_EQ(row_of(R"({"conversations": [{"from": "human", "value": "Hi"}],
              "chosen": {"from": "gpt", "value": "Ho"}, "rejected": {"from": "gpt", "value": "No"}})"),
            Json::parse(R"({"prompt": [{"role": "user", "content": "Hi"}],
                "chosen": [{"role": "assistant", "content": "Ho"}],
                "rejected": [{"role": "assistant", "content": "No"}]})"));
}

TEST(ReadExample, OpenAi) {
  EXPECT_EQ(row_of(R"({"messages": [{"role": "developer", "content": "Calculate."},
                {"role": "user", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "+1"}], "name": "Ann"},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
                  "function": {"name": "add", "arguments": "{\"a\": 1}"}}]},
                {"role": "tool", "content": "2", "tool_call_id": "c1"},
                {"role": "assistant", "content": "2", "weight": 0},
                {"role": "user", "content": "And 2+2?"},
                {"role": "assistant", "content": "4", "reasoning": "Easy.", "weight": 1}], "extra": 1})"),
            Json::parse(R"({"messages": [{"role": "system", "content": "Calculate."},
                {"role": "user", "content": "1+1", "name": "Ann"},
                {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function",
                  "function": {"name": "add", "arguments": {"a": 1}}}]},
                {"role": "tool", "content": "2", "tool_call_id": "c1"},
                {"role": "assistant", "content": "2", "train": false},
                {"role": "user", "content": "And 2+2?"},
                {"role": "assistant", "content": "4", "reasoning_content": "Easy."}]})"));
}

TEST(ReadExample, PromptAndCompletion) {
  EXPECT_EQ(row_of(R"({"prompt": "2+2=", "completion": "4"})"),
            Json::parse(R"({"prompt": "2+2=", "completion": "4"})"));
  const Json messages = Json::parse(R"({"prompt": [{"role": "user", "content": "2+2="}],
                                        "completion": [{"role": "assistant", "content": "4"}]})");
  EXPECT_EQ(row_of(messages.dump()), messages);
  EXPECT_EQ(row_of(R"({"prompt": "2+2=", "completion": "4"})", {.texts_are_messages = true}), messages);
  EXPECT_EQ(row_of(R"({"prompt": [{"role": "user", "content": "2+2="}], "completion": "4"})"), messages);
  EXPECT_EQ(
      row_of(R"({"question": "2+2=", "answer": "4"})",
             {.renamed = {{"question", "prompt"}, {"answer", "completion"}}, .texts_are_messages = true}),
      messages);
  EXPECT_EQ(fault_of(R"({"prompt": "2+2="})"), "missing_field");
  EXPECT_EQ(fault_of(R"({"prompt": "2+2=", "completion": " \n"})"), "empty_answer");
  EXPECT_EQ(fault_of(R"({"prompt": "", "completion": "x"})"), "no_prompt");
  EXPECT_EQ(fault_of(R"({"prompt": [], "completion": "x"})"), "no_prompt");
}

TEST(ReadExample, Preferences) {
  EXPECT_EQ(row_of(R"({"prompt": "Hi", "chosen": " Ho", "rejected": " No", "margin": 0.5})"),
            Json::parse(R"({"prompt": "Hi", "chosen": " Ho", "rejected": " No", "margin": 0.5})"));
  // The prompt is what both begin with: of texts up to a space, never within a character.
  EXPECT_EQ(row_of(R"({"chosen": "The sky is blue", "rejected": "The sky is green"})"),
            Json::parse(R"({"prompt": "The sky is", "chosen": " blue", "rejected": " green"})"));
  EXPECT_EQ(row_of(R"({"chosen": "a\u00e9b", "rejected": "a\u00e8b"})")["prompt"], "a");
  EXPECT_EQ(
      row_of(
          R"({"prompt": "Hi", "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
                       "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "No"}]})"),
      Json::parse(R"({"prompt": [{"role": "user", "content": "Hi"}],
                "chosen": [{"role": "assistant", "content": "Ho"}],
                "rejected": [{"role": "assistant", "content": "No"}]})"));
  EXPECT_EQ(fault_of(R"({"prompt": "Hi", "chosen": "Ho", "rejected": "Ho"})"), "equal_answers");
  EXPECT_EQ(fault_of(R"({"chosen": "Ho!", "rejected": "Ho"})"), "empty_answer");
  EXPECT_EQ(fault_of(R"({"prompt": "Hi", "chosen": "Ho"})"), "missing_field");
  EXPECT_EQ(fault_of(R"({"prompt": "Hi", "chosen": "Ho", "rejected": "No", "margin": 1e300})"), "bad_value");
}

TEST(ReadExample, Unpaired) {
  EXPECT_EQ(row_of(R"({"prompt": "Hi", "completion": " Ho", "label": false})"),
            Json::parse(R"({"prompt": "Hi", "completion": " Ho", "label": false})"));
  EXPECT_EQ(
      row_of(R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
                       "label": true})"),
      Json::parse(R"({"prompt": [{"role": "user", "content": "Hi"}],
                            "completion": [{"role": "assistant", "content": "Ho"}], "label": true})"));
  EXPECT_EQ(row_of(R"({"instruction": "Hi", "output": "Ho", "kto_tag": true})")["label"], true);
  EXPECT_EQ(fault_of(R"({"prompt": "Hi", "completion": " Ho", "label": "good"})"), "bad_value");
  EXPECT_EQ(fault_of(R"({"messages": [{"role": "user", "content": "Hi"}], "label": true})"), "no_answer");
}

TEST(ReadExample, RefusesConversationsThatNobodyCanHave) {
  const auto fault = [](std::string_view roles) {
    Json messages = Json::array();
    for (const char role : roles) {
      const bool calls = role == 'c';
      Json message = {{"role", role == 's'   ? "system"
                               : role == 'u' ? "user"
                               : role == 't' ? "tool"
                                             : "assistant"},
                      {"content", "text"}};
      if (calls) message["tool_calls"] = Json::parse(R"([{"name": "f", "arguments": {}}])");
      messages.push_back(message);
    }
    return fault_of(Json{{"messages", messages}}.dump());
  };
  for (const char* good : {"ua", "sua", "uaua", "ucta", "ucttaua", "uctcta", "uc"})
    EXPECT_EQ(fault(good), "none") << good;
  for (const char* bad :
       {"usa", "uua", "uaa", "au", "aua", "sa", "uta", "uat", "uata", "ssua", "uau", "ucua", "uctu"})
    EXPECT_NE(fault(bad), "none") << bad;
  EXPECT_EQ(fault("u"), "no_answer");
  EXPECT_EQ(fault(""), "no_answer");
  EXPECT_EQ(fault_of(R"({"messages": [{"role": "narrator", "content": "x"}]})"), "bad_role");
  EXPECT_EQ(fault_of(R"({"messages": [{"content": "x"}]})"), "missing_field");
  EXPECT_EQ(fault_of(R"({"messages": [{"role": "user"}]})"), "missing_field");
  EXPECT_EQ(fault_of(R"({"messages": [3]})"), "bad_value");
  EXPECT_EQ(fault_of(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})"), "bad_value");
  EXPECT_EQ(fault_of(R"({"messages": [{"role": "user", "content": "x"},
                         {"role": "assistant", "content": "y", "weight": 0.5}]})"),
            "bad_value");
  EXPECT_EQ(fault_of(R"({"messages": [{"role": "user", "content": "x", "train": true}]})"), "bad_value");
}

TEST(ReadExample, RefusesWhatIsNoRow) {
  EXPECT_EQ(fault_of(""), "not_json");
  EXPECT_EQ(fault_of("[]"), "not_json");
  EXPECT_EQ(fault_of("{\"prompt\": "), "not_json");
  EXPECT_EQ(fault_of("{\"prompt\": \"\\ud800\"}"), "not_json");
  EXPECT_EQ(fault_of("{\"prompt\": \"\xff\"}"), "invalid_utf8");
  EXPECT_EQ(fault_of(std::string(1000, '[')), "not_json");
  EXPECT_EQ(fault_of("{}"), "unknown_form");
  EXPECT_EQ(fault_of(R"({"text": "a", "label": 1})"), "unknown_form");
  EXPECT_EQ(fault_of(R"({"prompt": "a", "completion": "b"})", {.form = ExampleForm::alpaca}),
            "missing_field");
  EXPECT_EQ(fault_of(R"({"prompt": "a", "completion": "b"})", {.form = ExampleForm::sharegpt}),
            "missing_field");
}

}  // namespace
}  // namespace quern::data
