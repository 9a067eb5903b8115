#include "infer/tool_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace quern::infer {
namespace {

struct Read {
  std::string text;
  std::vector<std::pair<std::string, std::string>> calls;
  bool operator==(const Read&) const = default;
};

void PrintTo(const Read& read, std::ostream* out) {
  *out << '"' << read.text << '"';
  for (const auto& [name, arguments] : read.calls) *out << ' ' << name << '(' << arguments << ')';
}

void take(const std::vector<ToolPiece>& pieces, Read& read) {
  for (const ToolPiece& piece : pieces) {
    read.text += piece.text;
    if (!piece.call) continue;
    const auto index = static_cast<size_t>(piece.call->index);
    EXPECT_TRUE(piece.call->name.empty() ? index + 1 == read.calls.size() : index == read.calls.size());
    if (index >= read.calls.size()) read.calls.resize(index + 1);
    read.calls[index].first += piece.call->name;
    read.calls[index].second += piece.call->arguments;
  }
}

// The same however the text is cut: whole, in two at every byte, byte by byte, and at random.
Read read(ToolCallForm form, const std::string& text) {
  const auto cut = [&](const std::vector<size_t>& cuts) {
    ToolCallParser parser(form);
    Read result;
    size_t begin = 0;
    for (const size_t end : cuts) {
      take(parser.push(std::string_view(text).substr(begin, end - begin)), result);
      begin = end;
    }
    take(parser.push(std::string_view(text).substr(begin)), result);
    take(parser.finish(), result);
    EXPECT_EQ(static_cast<size_t>(parser.calls()), result.calls.size());
    return result;
  };
  const Read whole = cut({});
  std::vector<size_t> every;
  for (size_t at = 0; at <= text.size(); ++at) {
    EXPECT_EQ(cut({at}), whole) << "cut at " << at << " of " << text;
    every.push_back(at);
  }
  EXPECT_EQ(cut(every), whole);
  Rng rng(3, text.size());
  for (int i = 0; i < 20; ++i) {
    std::vector<size_t> cuts;
    for (size_t at = 0; at < text.size(); at += 1 + rng.below(9)) cuts.push_back(at);
    EXPECT_EQ(cut(cuts), whole);
  }
  return whole;
}

TEST(ToolCalls, FormsAreToldFromTemplates) {
  EXPECT_EQ(tool_call_form("... <tool_call></tool_call> ..."), ToolCallForm::hermes);
  EXPECT_EQ(tool_call_form("... [TOOL_CALLS] ..."), ToolCallForm::mistral);
  EXPECT_EQ(tool_call_form("... <|python_tag|> ..."), ToolCallForm::llama);
  EXPECT_EQ(tool_call_form("..."), ToolCallForm::plain);
}

TEST(ToolCalls, Hermes) {
  const auto hermes = [](const std::string& text) { return read(ToolCallForm::hermes, text); };
  EXPECT_EQ(
      hermes("Let me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"K\\u00f6ln\", "
             "\"days\": "
             "[1, {\"a\": \"}\"}]}}\n</tool_call>"),
      (Read{"Let me see.", {{"weather", "{\"city\": \"K\\u00f6ln\", \"days\": [1, {\"a\": \"}\"}]}"}}}));
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"f\", \"arguments\": "
                   "{}}</tool_call>\n<tool_call>\n{\"arguments\": {\"x\": 1}, "
                   "\"name\": \"g\"}\n</tool_call>\n"),
            (Read{"", {{"f", "{}"}, {"g", "{\"x\": 1}"}}}));
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"f\"}</tool_call>"), (Read{"", {{"f", "{}"}}}));
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"f\", \"arguments\": null}</tool_call>"),
            (Read{"", {{"f", "{}"}}}));
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"x\\\": 2}\"}</tool_call>"),
            (Read{"", {{"f", "{\"x\": 2}"}}}));
  EXPECT_EQ(hermes("plain <tool text {\"name\": \"f\"}"), (Read{"plain <tool text {\"name\": \"f\"}", {}}));
  EXPECT_EQ(hermes("<tool_call>nothing of the kind"), (Read{"<tool_call>nothing of the kind", {}}));
  EXPECT_EQ(hermes("a <tool_call>{\"x\": 1}</tool_call> b"),
            (Read{"a <tool_call>{\"x\": 1}</tool_call> b", {}}));
}

TEST(ToolCalls, ACallThatIsCutOffKeepsWhatThereIs) {
  EXPECT_EQ(read(ToolCallForm::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": [1, 2"),
            (Read{"", {{"f", "{\"x\": [1, 2"}}}));
  EXPECT_EQ(read(ToolCallForm::hermes, "<tool_call>{\"name\": \"f"), (Read{"<tool_call>{\"name\": \"f", {}}));
  EXPECT_EQ(read(ToolCallForm::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_"),
            (Read{"", {{"f", "{}"}}}));
  EXPECT_EQ(read(ToolCallForm::hermes, "text <tool_c"), (Read{"text <tool_c", {}}));
}

// What was told cannot be taken back, so that the first name and arguments count.
TEST(ToolCalls, WhatIsSaidTwiceCountsOnce) {
  EXPECT_EQ(
      read(
          ToolCallForm::plain,
          "{\"name\": \"f\", \"arguments\": {\"x\": 1}, \"function\": {\"name\": \"g\", \"arguments\": {}}}"),
      (Read{"", {{"f", "{\"x\": 1}"}}}));
}

TEST(ToolCalls, Mistral) {
  const auto mistral = [](const std::string& text) { return read(ToolCallForm::mistral, text); };
  EXPECT_EQ(
      mistral(
          "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"x\": 1}}, {\"name\": \"g\", \"arguments\": {}}]"),
      (Read{"", {{"f", "{\"x\": 1}"}, {"g", "{}"}}}));
  EXPECT_EQ(mistral("[TOOL_CALLS] [ {\"name\":\"f\",\"arguments\":{},\"id\":\"9\"} ]"),
            (Read{"", {{"f", "{}"}}}));
  EXPECT_EQ(mistral("[TOOL_CALLS]f[ARGS]{\"x\": \"]\"}[TOOL_CALLS]g[ARGS]{}"),
            (Read{"", {{"f", "{\"x\": \"]\"}"}, {"g", "{}"}}}));
  EXPECT_EQ(mistral("A list: [1, 2]"), (Read{"A list: [1, 2]", {}}));
}

TEST(ToolCalls, LlamaAndBareJson) {
  for (const ToolCallForm form : {ToolCallForm::llama, ToolCallForm::plain}) {
    EXPECT_EQ(read(form, "{\"name\": \"f\", \"parameters\": {\"x\": \"1\"}}"),
              (Read{"", {{"f", "{\"x\": \"1\"}"}}}));
    EXPECT_EQ(
        read(form,
             "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {}}"),
        (Read{"", {{"f", "{}"}, {"g", "{}"}}}));
    EXPECT_EQ(
        read(form, "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1}}}]"),
        (Read{"", {{"f", "{\"a\": 1}"}}}));
    EXPECT_EQ(read(form, "{\"function\": \"f\", \"parameters\": {}}"), (Read{"", {{"f", "{}"}}}));
    // Answers that are JSON themselves.
    for (const char* text :
         {"{\"answer\": 42}", "[1, 2, 3]", "[ {\"x\": 1} ]", "{}", "{", "[]", "{\"name\": 5}",
          "{\"type\": \"x\"} and more", "Text {\"name\": \"f\"}", "\n\n{\"a\": \"b\"}\n"}) {
      EXPECT_EQ(read(form, text), (Read{text, {}})) << text;
    }
  }
}

TEST(ToolCalls, HostileTextEnds) {
  Rng rng(5, 1);
  const std::vector<std::string> parts = {"<tool_call>",
                                          "</tool_call>",
                                          "[TOOL_CALLS]",
                                          "[ARGS]",
                                          "<|python_tag|>",
                                          "{",
                                          "}",
                                          "\"name\"",
                                          "\"arguments\"",
                                          ":",
                                          "\"f\"",
                                          ",",
                                          "[",
                                          "]",
                                          "\\",
                                          "\"",
                                          " ",
                                          "x",
                                          ";"};
  for (int round = 0; round < 40; ++round) {
    std::string text;
    for (uint64_t i = rng.below(14); i > 0; --i) text += parts[rng.below(parts.size())];
    for (const ToolCallForm form :
         {ToolCallForm::hermes, ToolCallForm::mistral, ToolCallForm::llama, ToolCallForm::plain})
      read(form, text);
  }
  const std::string deep = "{\"name\": \"f\", \"arguments\": " + std::string(500, '[');
  EXPECT_EQ(read(ToolCallForm::plain, deep).calls.size(), 1u);
}

}  // namespace
}  // namespace quern::infer
