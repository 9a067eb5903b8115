#include "infer/template_probe.h"

#include <algorithm>

namespace quern::infer {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kQuestion = "What is a quern?";

text::ChatRequest conversation(bool goes_on, bool prompt = false) {
  text::ChatRequest request;
  request.messages = Json::array({{{"role", "user"}, {"content", kQuestion}},
                                  {{"role", "assistant"}, {"content", std::string(kProbeAnswer)}}});
  request.add_generation_prompt = prompt;
  if (goes_on) request.messages.push_back({{"role", "user"}, {"content", "And a mill?"}});
  return request;
}

// The first token after the answer when it is an added one; white space before it does not count.
std::optional<int32_t> token_after_answer(const std::string& text, const text::Tokenizer& tokenizer) {
  const size_t answer = text.rfind(kProbeAnswer);
  if (answer == text.npos) return std::nullopt;
  const size_t after = text.find_first_not_of(" \n\t", answer + kProbeAnswer.size());
  if (after == text.npos) return std::nullopt;
  const auto tokens = tokenizer.encode(std::string_view(text).substr(after), {.add_special_tokens = false});
  if (tokens.empty() || !tokenizer.is_added(tokens[0])) return std::nullopt;
  return tokens[0];
}

}  // namespace

Result<TemplateProbe> probe_template(const text::ChatTemplates& templates, const text::Tokenizer& tokenizer) {
  TemplateProbe probe;
  QUERN_TRY(text::jinja::Rendered rendered, templates.render(conversation(false)));
  probe.text = std::move(rendered.text);
  probe.tokens = tokenizer.encode(probe.text, {.add_special_tokens = false});
  const auto bos = tokenizer.special_ids().bos;
  probe.begins_with_bos = bos && !probe.tokens.empty() && probe.tokens[0] == *bos;
  probe.turn_end = token_after_answer(probe.text, tokenizer);
  if (!probe.turn_end) {
    // Some templates close a turn only when another follows.
    if (const auto longer = templates.render(conversation(true)); longer.ok()) {
      probe.turn_end = token_after_answer(longer->text, tokenizer);
    }
  }
  const auto prompt = templates.render(conversation(true, true));
  probe.prompt = prompt.ok() ? prompt->text : probe.text;
  return probe;
}

}  // namespace quern::infer
