#include "infer/template_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "infer/template_probe.h"
#include "text/bpe_trainer.h"

namespace quern::infer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = Finding::Kind;

constexpr const char* kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

Language language(const std::string& source, std::vector<std::string> listed_ends = {"<|im_end|>"},
                  bool bos = false) {
  text::BpeTrainOptions options;
  options.special_tokens = {"<s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"};
  options.vocab_size = 260;
  if (bos) options.bos_token = "<s>";
  std::optional<std::string_view> text = "text";
  Language result{.tokenizer = text::train_bpe([&] { return std::exchange(text, std::nullopt); }, options,
                                               null_progress())
                                   .value()};
  result.templates.add("default", source).value();
  result.templates.set_special_token("bos_token", "<s>");
  for (const std::string& token : listed_ends) {
    result.listed_ends.push_back(result.tokenizer.token_to_id(token).value_or(100'000));
  }
  return result;
}

std::vector<Kind> kinds(const Language& language) {
  std::vector<Kind> kinds;
  for (const Finding& finding : audit_template(language)) kinds.push_back(finding.kind);
  return kinds;
}

TEST(TemplateAudit, FindsNothingWhereAllFits) {
  EXPECT_THAT(kinds(language(kChatMl)), IsEmpty());
  Language plain = language(kChatMl);
  plain.templates = {};
  EXPECT_THAT(kinds(plain), IsEmpty());
}

TEST(TemplateAudit, Bos) {
  const std::string with_bos = std::string("{{ bos_token }}") + kChatMl;
  EXPECT_THAT(kinds(language(with_bos)), IsEmpty());
  EXPECT_THAT(kinds(language(kChatMl, {"<|im_end|>"}, true)), IsEmpty());
  const std::vector<Finding> handled = audit_template(language(with_bos, {"<|im_end|>"}, true));
  ASSERT_EQ(handled.size(), 1u);
  EXPECT_EQ(handled[0].kind, Kind::bos_written);
  EXPECT_FALSE(handled[0].is_mistake());
  const Language twice = language("{{ bos_token }}" + with_bos, {"<|im_end|>"}, true);
  EXPECT_THAT(kinds(twice), ElementsAre(Kind::double_bos));
}

TEST(TemplateAudit, EndOfTurn) {
  const std::vector<Finding> unlisted = audit_template(language(kChatMl, {"<|endoftext|>"}));
  ASSERT_EQ(unlisted.size(), 1u);
  EXPECT_EQ(unlisted[0].kind, Kind::unlisted_end);
  EXPECT_THAT(unlisted[0].message, HasSubstr("<|im_end|>"));
  EXPECT_THAT(unlisted[0].message, HasSubstr("<|endoftext|>"));
  EXPECT_THAT(kinds(language("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")),
              ElementsAre(Kind::no_turn_end));
}

TEST(TemplateAudit, EndTokensThatDoNotExist) {
  EXPECT_THAT(kinds(language(kChatMl, {"<|im_end|>", "<|eot_id|>"})), ElementsAre(Kind::unknown_end));
}

TEST(TemplateAudit, SpecialTokensThatDoNotExist) {
  const std::string foreign =
      "{% for m in messages %}<|start|>{{ m.content }}<|im_end|><start_of_turn>{% endfor %}";
  const std::vector<Finding> findings = audit_template(language(foreign));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_THAT(findings[0].message, HasSubstr("<start_of_turn>, which the tokenizer splits into 15 tokens"));
  EXPECT_THAT(findings[1].message, HasSubstr("<|start|>"));
  // What only looks like HTML or a comparison is no special token.
  EXPECT_THAT(kinds(language("{% for m in messages %}<b>{{ m.content }}</b> < <|im_end|>{% endfor %}")),
              ElementsAre(Kind::no_turn_end));
}

TEST(TemplateAudit, ATemplateThatRefuses) {
  const std::vector<Finding> findings = audit_template(language("{{ raise_exception('only tools') }}"));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, Kind::refused);
  EXPECT_THAT(findings[0].message, HasSubstr("only tools"));
}

TEST(TemplateAudit, RoundTrip) {
  Language lossy = language(kChatMl);
  lossy.tokenizer = text::Tokenizer::from_json(R"({
    "version": "1.0", "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": null, "decoder": null,
    "added_tokens": [{"id": 0, "content": "<|im_end|>", "special": true},
                     {"id": 1, "content": "<|im_start|>", "special": true}],
    "model": {"type": "WordLevel", "vocab": {"<|im_end|>": 0, "<|im_start|>": 1, "what": 2, "is": 4,
              "[UNK]": 5, "a": 6}, "unk_token": "[UNK]"}})")
                        .value();
  lossy.listed_ends = {0};
  EXPECT_THAT(kinds(lossy), ElementsAre(Kind::round_trip));
}

TEST(TemplateProbe, FindsTheTokenAfterAnAnswer) {
  const Language chatml = language(kChatMl);
  const auto turn_end = [&](const std::string& source) {
    const Language l = language(source);
    return probe_template(l.templates, l.tokenizer).value().turn_end;
  };
  const auto id = [&](const char* token) { return chatml.tokenizer.token_to_id(token); };
  EXPECT_EQ(turn_end(kChatMl), id("<|im_end|>"));
  EXPECT_EQ(turn_end("{% for m in messages %}{{ m.content }} <|endoftext|>{% endfor %}"),
            id("<|endoftext|>"));
  EXPECT_EQ(turn_end("{% for m in messages %}{{ m.content }}\n</s>{% endfor %}"), std::nullopt);
  // Closed only when another turn follows.
  EXPECT_EQ(
      turn_end(
          "{% for m in messages %}{{ m.content }}{% if not loop.last %}<|im_end|>{% endif %}{% endfor %}"),
      id("<|im_end|>"));
}

TEST(UseTemplate, ReplacesTheEndOfTurn) {
  Language l = language(kChatMl, {"<|endoftext|>"});
  ASSERT_TRUE(
      use_template(l, "{{ bos_token }}{% for m in messages %}{{ m.content }}<|im_start|>{% endfor %}"));
  EXPECT_THAT(l.end_tokens, ElementsAre(*l.tokenizer.token_to_id("<|im_start|>"),
                                        *l.tokenizer.token_to_id("<|endoftext|>")));
  EXPECT_FALSE(use_template(l, "{% if %}").ok());
}

}  // namespace
}  // namespace quern::infer
