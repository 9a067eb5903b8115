#include "data/examples/example_renderer.h"

#include <gtest/gtest.h>

#include "data/examples/messages.h"
#include "text/bpe_trainer.h"

namespace quern::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor "
    "%}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
constexpr const char* kMarked =
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ '<|im_start|>assistant\n' }}{% generation %}"
    "{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
// The system message stands in the last question, as in Mistral's newer templates: no prompt begins the conversation.
constexpr const char* kMoving =
    "{{ '<s>' }}{% set last = (messages | selectattr('role', 'equalto', 'user') | list | last) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' }}{% if m == last and messages[0].role == "
    "'system' %}"
    "{{ messages[0].content + '\n\n' }}{% endif %}{{ m.content + ' [/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ ' ' + (m.content | trim) + '</s>' }}{% endif %}{% endfor %}";

text::Tokenizer tokenizer() {
  text::BpeTrainOptions options;
  options.special_tokens = {"<s>", "</s>", "<|im_start|>", "<|im_end|>"};
  options.eos_token = "</s>";
  options.vocab_size = 256 + 4;
  std::optional<std::string_view> text = "text";
  return text::train_bpe([&] { return std::exchange(text, std::nullopt); }, options, null_progress()).value();
}

class ExampleRendererTest : public testing::Test {
 protected:
  ExampleLanguage language(std::string_view source) const {
    ExampleLanguage language{.tokenizer = tokenizer_};
    language.templates.add("default", source).value();
    for (const char* end : {"</s>", "<|im_end|>"})
      language.end_tokens.push_back(*tokenizer_.token_to_id(end));
    return language;
  }
  ExampleRenderer renderer(std::string_view source, LearntPart learn = LearntPart::assistant) const {
    return ExampleRenderer::create(language(source), {.learn = learn}).value();
  }
  // The document's text with what is learnt in brackets.
  std::string shown(const TokenDocument& document) const {
    EXPECT_EQ(document.tokens.size(), document.learnt.size());
    std::string text;
    const auto runs = learnt_runs(tokenizer_, document);
    for (size_t i = 0; i < runs.size(); ++i) text += i % 2 == 1 ? "[" + runs[i] + "]" : runs[i];
    return text;
  }
  std::string learnt(const ExampleRenderer& renderer, const Example& example) const {
    std::vector<TokenDocument> documents;
    const Refusal refusal = renderer.render(example, documents);
    if (refusal) return std::string(name_of(refusal.fault));
    std::string text;
    for (const TokenDocument& document : documents) text += (text.empty() ? "" : " / ") + shown(document);
    return text;
  }
  const text::Tokenizer tokenizer_ = tokenizer();
};

Example conversation(std::initializer_list<std::pair<const char*, const char*>> messages) {
  Example example;
  example.answer = Json::array();
  for (const auto& [role, content] : messages) example.answer.push_back(message_of(role, content));
  return example;
}

const Example kTwoTurns =
    conversation({{"system", "S"}, {"user", "Q1"}, {"assistant", "A1"}, {"user", "Q2"}, {"assistant", "A2"}});

TEST_F(ExampleRendererTest, LearnsTheAnswersAndTheirEnds) {
  for (const char* source : {kChatMl, kMarked}) {
    EXPECT_EQ(learnt(renderer(source), kTwoTurns),
              "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\n[A1<|"
              "im_end|>]\n"
              "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n[A2<|im_end|>]\n")
        << source;
    EXPECT_EQ(learnt(renderer(source, LearntPart::last_turn), kTwoTurns),
              "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\nA1<|"
              "im_end|>\n"
              "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n[A2<|im_end|>]\n");
    EXPECT_EQ(
        learnt(renderer(source, LearntPart::completion), conversation({{"user", "Q"}, {"assistant", "A"}})),
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n[A<|im_end|>\n]");
    EXPECT_EQ(learnt(renderer(source, LearntPart::all), conversation({{"user", "Q"}, {"assistant", "A"}})),
              "<|im_start|>[user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n]");
  }
}

TEST_F(ExampleRendererTest, LeavesOutMessagesThatAreNotTrained) {
  Example example = kTwoTurns;
  example.answer[2]["train"] = false;
  for (const char* source : {kChatMl, kMarked})
    EXPECT_EQ(learnt(renderer(source), example),
              "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\nA1<|"
              "im_end|>\n"
              "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n[A2<|im_end|>]\n");
  example.answer[4]["train"] = false;
  EXPECT_EQ(learnt(renderer(kChatMl), example), "nothing_learnt");
}

TEST_F(ExampleRendererTest, FindsAnswersBehindPromptsThatMove) {
  EXPECT_EQ(learnt(renderer(kMoving), kTwoTurns),
            "<s>[INST] Q1 [/INST][ A1</s>][INST] S\n\nQ2 [/INST][ A2</s>]");
  // The same text in the question and the answer does not mislead.
  EXPECT_EQ(
      learnt(renderer(kMoving),
             conversation(
                 {{"system", "x"}, {"user", "x x"}, {"assistant", "x"}, {"user", "x"}, {"assistant", "x"}})),
      "<s>[INST] x x [/INST][ x</s>][INST] x\n\nx [/INST][ x</s>]");
}

// Whitespace that a template trims, or does not.
TEST_F(ExampleRendererTest, KeepsWhitespaceWhereItStands) {
  const Example spaces = conversation({{"user", " Q "}, {"assistant", "\n A \n"}});
  EXPECT_EQ(learnt(renderer(kChatMl), spaces),
            "<|im_start|>user\n Q <|im_end|>\n<|im_start|>assistant\n[\n A \n<|im_end|>]\n");
  EXPECT_EQ(learnt(renderer(kMoving), spaces), "<s>[INST]  Q  [/INST][ A</s>]");
}

// What is typed ends no answer.
TEST_F(ExampleRendererTest, TypedMarkersAreText) {
  EXPECT_EQ(learnt(renderer(kChatMl),
                   conversation({{"user", "<|im_start|>assistant\n"}, {"assistant", "a<|im_end|>b"}})),
            "<|im_start|>user\n<|im_start|>assistant\n<|im_end|>\n<|im_start|>assistant\n[a<|im_end|>b<|im_"
            "end|>]\n");
}

TEST_F(ExampleRendererTest, ClosesWhatTheTemplateLeavesOpen) {
  const std::string open =
      "{% for m in messages %}{{ ('</s>' if not loop.first else '') + m.role + ':' + m.content }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '</s>assistant:' }}{% endif %}";
  EXPECT_EQ(learnt(renderer(open),
                   conversation({{"user", "Q"}, {"assistant", "A"}, {"user", "R"}, {"assistant", "B"}})),
            "user:Q</s>assistant:[A</s>]user:R</s>assistant:[B</s>]");
  const std::string marks_without_end =
      "{% for m in messages %}{{ m.role + ':' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
      "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ '</s>\n' }}{% endfor %}";
  EXPECT_EQ(learnt(renderer(marks_without_end), conversation({{"user", "Q"}, {"assistant", "A"}})),
            "user:Q</s>\nassistant:[A</s>]\n");
}

TEST_F(ExampleRendererTest, RefusesTemplatesThatHideAnswers) {
  const auto refused = [&](std::string_view source) {
    const auto renderer = ExampleRenderer::create(language(source), {});
    return renderer.ok() ? std::string() : renderer.error().message;
  };
  EXPECT_EQ(refused(kChatMl), "");
  EXPECT_EQ(refused("{{ raise_exception('never') }}").find("the chat template \"default\": "), 0u);
  EXPECT_NE(
      refused("{% for m in messages %}{{ m.content }}{% endfor %}").find("no token that ends an answer"),
      std::string::npos);
  EXPECT_NE(
      refused("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}</s>{% endif %}{% endfor %}")
          .find("leaves out"),
      std::string::npos);
  EXPECT_NE(refused("{{ messages | length }}{% for m in messages %}{{ m.content + '</s>' }}{% endfor %}"
                    "{% if add_generation_prompt %}{{ 'say' }}{% endif %}")
                .find("does not go on from the prompt"),
            std::string::npos);
}

TEST_F(ExampleRendererTest, RefusesTemplatesThatDropMessages) {
  const std::string drops =
      "{% for m in messages %}{% if m.role != 'system' %}{{ m.role + ':' + m.content + '</s>' }}{% endif "
      "%}{% endfor %}";
  EXPECT_EQ(learnt(renderer(drops), kTwoTurns), "template_refused");
  EXPECT_EQ(learnt(renderer(drops), conversation({{"user", "Q"}, {"assistant", "A"}})),
            "user:Q</s>[assistant:A</s>]");
}

// A template that knows nothing of tools would have an empty answer learnt instead of a call.
TEST_F(ExampleRendererTest, RefusesTemplatesThatPassOverTools) {
  constexpr const char* kWithTools =
      "{% for t in tools or [] %}{{ t.function.name + '\n' }}{% endfor %}{% for m in messages %}"
      "{{ '<|im_start|>' + m.role + '\n' + m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name + "
      "'!' }}"
      "{% endfor %}{{ '<|im_end|>' + '\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  Example example = conversation({{"user", "Q"}, {"assistant", ""}, {"tool", "R"}, {"assistant", "A"}});
  example.answer[1]["tool_calls"] =
      Json::parse(R"([{"type": "function", "function": {"name": "look", "arguments": {}}}])");
  const std::string turns =
      "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n[look!<|im_end|>]\n"
      "<|im_start|>tool\nR<|im_end|>\n<|im_start|>assistant\n[A<|im_end|>]\n";
  EXPECT_EQ(learnt(renderer(kChatMl), example), "not_located");
  EXPECT_EQ(learnt(renderer(kWithTools), example), turns);
  example.tools = example.answer[1]["tool_calls"];
  EXPECT_EQ(learnt(renderer(kChatMl), example), "template_refused");
  EXPECT_EQ(learnt(renderer(kWithTools), example), "look\n" + turns);
}

TEST_F(ExampleRendererTest, WritesOneBeginningOfText) {
  ExampleLanguage two = language(std::string("<s>") + kChatMl);
  const text::Tokenizer with_bos =
      text::Tokenizer::from_json(tokenizer_.to_json(), R"({"bos_token": "<s>", "eos_token": "</s>"})")
          .value();
  two.tokenizer = with_bos;
  two.chat_bos = with_bos.token_to_id("<s>");
  const auto renderer = ExampleRenderer::create(two, {});
  ASSERT_FALSE(renderer.ok());
  EXPECT_NE(renderer.error().message.find("two beginning-of-text tokens"), std::string::npos);
  ExampleLanguage one = language(kChatMl);
  one.tokenizer = with_bos;
  one.chat_bos = two.chat_bos;
  EXPECT_EQ(
      learnt(ExampleRenderer::create(one, {}).value(), conversation({{"user", "Q"}, {"assistant", "A"}})),
      "<s><|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n[A<|im_end|>]\n");
}

TEST_F(ExampleRendererTest, PromptsAreNotLearntAndPairsAreTwo) {
  Example example;
  example.kind = ExampleKind::preference;
  example.prompt = kTwoTurns.answer;
  example.prompt.erase(4);
  example.answer = Json::array({message_of("assistant", "good")});
  example.rejected = Json::array({message_of("assistant", "bad")});
  example.margin = 2;
  const std::string prompt =
      "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
      "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(learnt(renderer(kChatMl), example),
            prompt + "[good<|im_end|>]\n / " + prompt + "[bad<|im_end|>]\n");
  std::vector<TokenDocument> documents;
  renderer(kChatMl).render(example, documents);
  EXPECT_EQ(documents[0].value, 2.0f);
  example.kind = ExampleKind::unpaired;
  renderer(kChatMl).render(example, documents);
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(documents[0].value, 1.0f);
}

TEST_F(ExampleRendererTest, TextsGetNoTemplate) {
  Example example;
  example.kind = ExampleKind::completion;
  example.prompt = "2+2=";
  example.answer = "4";
  EXPECT_EQ(learnt(renderer(kChatMl), example), "2+2=[4</s>]");
  example.answer = "4</s>";
  EXPECT_EQ(learnt(renderer(kChatMl), example), "2+2=[4</s>]");
}

}  // namespace
}  // namespace quern::data
