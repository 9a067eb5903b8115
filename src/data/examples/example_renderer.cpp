#include "data/examples/example_renderer.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string_view>
#include <tuple>

#include "base/terminal.h"
#include "data/examples/messages.h"
#include "text/unicode.h"

namespace quern::data {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kProbeAnswer = "A hand mill.";

std::string_view stripped(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
}

// A character that none of the texts has, of Linear A like those of chat_prompt.cpp.
std::string unused_sign(std::initializer_list<std::string_view> texts) {
  constexpr char32_t kFirst = 0x10600, kLast = 0x1072B;
  std::string sign;
  for (char32_t code = kLast; code >= kFirst; --code) {
    sign.clear();
    text::append_utf8(sign, code);
    if (std::ranges::none_of(texts, [&](std::string_view text) { return text.find(sign) != text.npos; }))
      break;
  }
  return sign;
}

// Where the only `sign` of `text` stood, which is taken out.
std::optional<size_t> take_out(std::string& text, std::string_view sign) {
  const size_t at = text.find(sign);
  if (at == text.npos || text.find(sign, at + sign.size()) != text.npos) return std::nullopt;
  text.erase(at, sign.size());
  return at;
}

// The first of the functions that the text does not name: templates that know nothing of tools pass over them.
std::optional<std::string> first_left_out(const Json& functions, std::string_view text) {
  if (!functions.is_array()) return std::nullopt;
  for (const Json& function : functions) {
    const auto name = function["function"]["name"].get<std::string>();
    if (text.find(name) == text.npos) return name;
  }
  return std::nullopt;
}

Refusal not_located(size_t message, std::string_view why) {
  return {Fault::not_located,
          fmt::format("message {}: the chat template hides what the assistant says: {}", message, why)};
}

}  // namespace

// A rendered conversation.
struct ExampleRenderer::Chat {
  Json messages;             // as the template gets them
  std::vector<bool> learnt;  // of each message: it is not marked otherwise
  Json tools;
  text::jinja::RenderOptions options;
  text::ChatPrompt prompt;
  std::vector<text::TokenSpan> tokens;

  const std::string& text() const { return prompt.text; }
  text::ChatRequest request(size_t count) const {
    text::ChatRequest request;
    for (size_t i = 0; i < count; ++i) request.messages.push_back(messages[i]);
    request.tools = tools;
    return request;
  }
};

Result<ExampleRenderer> ExampleRenderer::create(ExampleLanguage language, RenderChoices choices) {
  if (!choices.now) choices.now = std::time(nullptr);
  ExampleRenderer renderer(std::move(language), choices);
  if (!renderer.language_.templates.empty()) QUERN_CHECK(renderer.probe());
  return renderer;
}

Result<void> ExampleRenderer::probe() {
  const auto refuse = [&](std::string_view what) {
    return make_error(
        ErrorCode::unsupported, fmt::format("the chat template \"default\": {}", what),
        "give a chat template that fits the model; 'quern inspect MODEL' tells what is wrong with this one");
  };
  const Json question = Json::array({message_of("user", "What is a quern?")});
  const Json answer = Json::array({message_of("assistant", kProbeAnswer)});
  Json longer = question;
  longer.push_back(answer[0]);
  longer.push_back(question[0]);
  // Some templates close an answer only when another question follows.
  for (const Json& messages : {Json::array({question[0], answer[0]}), longer}) {
    text::ChatRequest request;
    request.messages = messages;
    const auto rendered = language_.templates.render(request, {.limits = {}, .now = choices_.now});
    if (!rendered.ok()) continue;
    const size_t found = rendered->text.rfind(kProbeAnswer);
    if (found == std::string::npos) return refuse("it leaves out what the assistant says");
    const std::string_view after =
        stripped(std::string_view(rendered->text).substr(found + kProbeAnswer.size()));
    const auto ids = language_.tokenizer.encode(after, {.add_special_tokens = false});
    if (!ids.empty() && std::ranges::find(language_.end_tokens, ids[0]) != language_.end_tokens.end())
      turn_end_ = ids[0];
    if (turn_end_) break;
  }
  TokenDocument document;
  if (Refusal refusal = render_chat(question, answer, nullptr, document)) return refuse(refusal.what);
  if (!turn_end_) return refuse("no token that ends an answer follows what the assistant says");
  const auto bos = language_.tokenizer.special_ids().bos;
  if (bos && document.tokens.size() > 1 && document.tokens[0] == *bos && document.tokens[1] == *bos)
    return refuse("prompts begin with two beginning-of-text tokens");
  return {};
}

Hash128 ExampleRenderer::fingerprint() const {
  Hasher hasher;
  hasher.add(language_.tokenizer.to_json());
  for (const std::string& name : language_.templates.names()) {
    text::ChatRequest request;
    request.template_name = name;
    if (const auto source = language_.templates.source_for(request); source.ok())
      hasher.add(name).add(*source);
  }
  for (const auto& [name, token] : language_.templates.special_tokens()) hasher.add(name).add(token);
  for (const int32_t end : language_.end_tokens) hasher.add(static_cast<uint64_t>(end));
  hasher.add(static_cast<uint64_t>(language_.chat_bos.value_or(-1)));
  hasher.add(static_cast<uint64_t>(choices_.learn)).add(uint64_t{choices_.special_tokens});
  return hasher.result();
}

Refusal ExampleRenderer::render(const Example& example, std::vector<TokenDocument>& documents) const {
  documents.assign(example.kind == ExampleKind::preference ? 2 : 1, {});
  for (size_t i = 0; i < documents.size(); ++i) {
    const Json& answer = i == 0 ? example.answer : example.rejected;
    Refusal refusal;
    if (example.is_text())
      refusal = render_text(example.prompt.get<std::string>(), answer.get<std::string>(), documents[i]);
    else
      refusal = render_chat(example.prompt, answer, example.tools, documents[i]);
    if (refusal) return refusal;
    if (choices_.learn == LearntPart::all) std::ranges::fill(documents[i].learnt, uint8_t{1});
    if (!documents[i].learnt.empty()) documents[i].learnt[0] = 0;  // nothing stands before it
    if (std::ranges::count(documents[i].learnt, 1) == 0) return {Fault::nothing_learnt, "no token is learnt"};
    if (example.kind == ExampleKind::preference) documents[i].value = static_cast<float>(example.margin);
    if (example.kind == ExampleKind::unpaired) documents[i].value = example.wanted ? 1.0f : 0.0f;
  }
  return {};
}

Refusal ExampleRenderer::render_text(const std::string& prompt, const std::string& answer,
                                     TokenDocument& document) const {
  const text::Tokenizer& tokenizer = language_.tokenizer;
  const text::SpecialIds& special = tokenizer.special_ids();
  const std::optional<int32_t> end = special.eos                    ? special.eos
                                     : language_.end_tokens.empty() ? std::nullopt
                                                                    : std::optional(language_.end_tokens[0]);
  if (!end) return {Fault::template_refused, "the tokenizer has no end-of-text token to learn"};
  const std::vector<int32_t> around = tokenizer.encode("");
  if (special.bos && std::ranges::find(around, *special.bos) != around.end()) {
    document.tokens.push_back(*special.bos);
    document.learnt.push_back(0);
  }
  const auto spans = tokenizer.encode_with_spans(
      prompt + answer, {.add_special_tokens = false, .allow_special = choices_.special_tokens});
  for (const text::TokenSpan& token : spans) {
    document.tokens.push_back(token.id);
    document.learnt.push_back(token.span.end > prompt.size());
  }
  if (document.tokens.empty() || document.tokens.back() != *end) {
    document.tokens.push_back(*end);
    document.learnt.push_back(1);
  }
  return {};
}

Refusal ExampleRenderer::render_chat(const Json& prompt, const Json& answer, const Json& tools,
                                     TokenDocument& document) const {
  Chat chat;
  chat.tools = tools;
  chat.options.now = choices_.now;
  chat.messages = Json::array();
  for (const Json* part : {&prompt, &answer}) {
    for (Json message : *part) {
      chat.learnt.push_back(message.value("train", true));
      message.erase("train");
      chat.messages.push_back(std::move(message));
    }
  }
  auto rendered = text::render_prompt(language_.templates, chat.request(chat.messages.size()),
                                      language_.tokenizer, chat.options);
  if (!rendered.ok()) return {Fault::template_refused, std::move(rendered).error().message};
  chat.prompt = *std::move(rendered);
  // Some templates write the system message only where a question is last, which is so when serving alone.
  for (size_t i = 0; i < chat.messages.size(); ++i) {
    const Json& message = chat.messages[i];
    const bool asks = message["role"] == "system" || message["role"] == "user";
    if (asks &&
        chat.text().find(stripped(message["content"].get_ref<const std::string&>())) == std::string::npos)
      return {Fault::template_refused, fmt::format("message {}: the chat template leaves it out", i)};
  }
  if (const auto tool = first_left_out(tools, chat.text()))
    return {Fault::template_refused, fmt::format("the chat template leaves out the tool {}", *tool)};
  chat.tokens = language_.tokenizer.encode_with_spans(
      chat.text(), {.add_special_tokens = false, .plain = chat.prompt.typed});
  if (language_.chat_bos) document.tokens.push_back(*language_.chat_bos);
  for (const text::TokenSpan& token : chat.tokens) document.tokens.push_back(token.id);
  document.learnt.assign(document.tokens.size(), 0);

  size_t first = prompt.size();
  if (choices_.learn == LearntPart::all) return {};
  if (choices_.learn != LearntPart::completion) return learn_answers(chat, first, document);
  if (prompt.empty()) first = chat.messages.size() - 1;
  return learn_completion(chat, first, document);
}

// The tokens that have bytes of [begin, end) are learnt.
void ExampleRenderer::learn(const Chat& chat, size_t begin, size_t end, TokenDocument& document) const {
  const size_t offset = language_.chat_bos ? 1 : 0;
  for (size_t i = 0; i < chat.tokens.size(); ++i) {
    const text::Span& span = chat.tokens[i].span;
    if (span.begin < end && span.end > begin) document.learnt[offset + i] = 1;
  }
}

Refusal ExampleRenderer::learn_completion(const Chat& chat, size_t first, TokenDocument& document) const {
  size_t begin = 0;
  if (Refusal refusal = find_begin(chat, first, begin)) return refusal;
  learn(chat, begin, chat.text().size(), document);
  return {};
}

Refusal ExampleRenderer::learn_answers(const Chat& chat, size_t first, TokenDocument& document) const {
  std::vector<size_t> messages;  // that are answers
  for (size_t i = 0; i < chat.messages.size(); ++i)
    if (chat.messages[i]["role"] == "assistant") messages.push_back(i);
  const bool marked = chat.prompt.generated.size() == messages.size();
  size_t limit = chat.text().size();  // where the next answer begins
  for (size_t i = messages.size(); i-- > 0 && messages[i] >= first;) {
    Answer answer;
    if (marked) std::tie(answer.begin, answer.end) = chat.prompt.generated[i];
    if (!marked) {
      if (Refusal refusal = find_begin(chat, messages[i], answer.begin)) return refusal;
    }
    if (Refusal refusal = find_end(chat, messages[i], limit, answer)) return refusal;
    if (chat.learnt[messages[i]]) {
      learn(chat, answer.begin, answer.end, document);
      if (!answer.closed && turn_end_) {
        document.tokens.push_back(*turn_end_);
        document.learnt.push_back(1);
      }
    }
    limit = answer.begin;
    if (choices_.learn == LearntPart::last_turn) break;
  }
  return {};
}

// The end of the first end token that begins in [from, limit).
std::optional<text::Span> ExampleRenderer::end_token_in(const Chat& chat, size_t from, size_t limit) const {
  for (const text::TokenSpan& token : chat.tokens) {
    if (token.span.begin < from || token.span.begin >= limit) continue;
    if (std::ranges::find(language_.end_tokens, token.id) != language_.end_tokens.end()) return token.span;
  }
  return std::nullopt;
}

// Where the answer that begins at answer.begin ends, before `limit`; answer.end is set where marks of the template say
// so, and then an end token right behind it joins it.
Refusal ExampleRenderer::find_end(const Chat& chat, size_t message, size_t limit, Answer& answer) const {
  const std::string_view text = chat.text();
  const auto inside = end_token_in(chat, answer.begin, answer.end > 0 ? answer.end : limit);
  const auto behind = answer.end > 0 ? end_token_in(chat, answer.end, limit) : std::nullopt;
  const bool last = message + 1 == chat.messages.size();
  answer.closed = inside.has_value();
  if (answer.end == 0) {
    if (!inside && !last) return not_located(message, "no token that ends an answer follows it");
    answer.end = inside ? inside->end : text.size();
  } else if (!inside && behind && stripped(text.substr(answer.end, behind->begin - answer.end)).empty()) {
    answer.end = behind->end;
    answer.closed = true;
  }
  answer.closed = answer.closed || !last;
  // Templates may drop thoughts, so that of a text with some only parts are found.
  const std::string_view said = stripped(chat.messages[message]["content"].get_ref<const std::string&>());
  const bool holds = answer.begin < answer.end && answer.end <= text.size() &&
                     text.substr(answer.begin, answer.end - answer.begin).find(said) != text.npos;
  if (!holds && said.find("</think>") == said.npos)
    return not_located(message, "what the template writes there does not hold it");
  if (const auto call = first_left_out(chat.messages[message].value("tool_calls", Json()),
                                       text.substr(answer.begin, answer.end - answer.begin)))
    return not_located(message, fmt::format("it leaves out the call of {}", *call));
  return {};
}

// Where the answer in `message` begins: behind the prompt that it would be asked for with.
Refusal ExampleRenderer::find_begin(const Chat& chat, size_t message, size_t& begin) const {
  text::ChatRequest request = chat.request(message);
  request.add_generation_prompt = true;
  const auto prompt = language_.templates.render(request, chat.options);
  if (!prompt.ok()) return {Fault::template_refused, prompt.error().message};
  if (chat.text().starts_with(prompt->text)) {
    begin = prompt->text.size();
    return {};
  }
  return find_by_tail(chat, message, prompt->text, begin);
}

// What the prompt ends with, from its last message on, must follow that message in the conversation too. The end of the
// message is found by a sign behind its last character, which must change nothing else.
Refusal ExampleRenderer::find_by_tail(const Chat& chat, size_t message, const std::string& prompt,
                                      size_t& begin) const {
  Refusal lost = not_located(message, "the conversation does not go on from the prompt it answers");
  const auto& question = chat.messages[message - 1]["content"].get_ref<const std::string&>();
  const size_t last = question.find_last_not_of(kSpaces);
  if (last == std::string::npos) return lost;
  const std::string sign = unused_sign({chat.text(), prompt});
  const auto end_in = [&](size_t count, const std::string& expected) -> std::optional<size_t> {
    text::ChatRequest request = chat.request(count);
    request.add_generation_prompt = count == message;
    request.messages[message - 1]["content"] = std::string(question).insert(last + 1, sign);
    auto marked = language_.templates.render(request, chat.options);
    if (!marked.ok()) return std::nullopt;
    const auto at = take_out(marked->text, sign);
    return marked->text == expected ? at : std::nullopt;
  };
  const auto in_prompt = end_in(message, prompt);
  const auto in_chat = end_in(chat.messages.size(), chat.text());
  if (!in_prompt || !in_chat) return lost;
  const std::string_view tail = std::string_view(prompt).substr(*in_prompt);
  if (!std::string_view(chat.text()).substr(*in_chat).starts_with(tail)) return lost;
  begin = *in_chat + tail.size();
  return {};
}

std::vector<std::string> learnt_runs(const text::Tokenizer& tokenizer, const TokenDocument& document) {
  std::vector<std::string> runs;
  for (size_t begin = 0, end = 0; begin < document.tokens.size(); begin = end) {
    const bool learnt = runs.size() % 2 == 1;
    while (end < document.tokens.size() && (document.learnt[end] != 0) == learnt) ++end;
    runs.push_back(tokenizer.decode(std::span(document.tokens).subspan(begin, end - begin)));
  }
  return runs;
}

std::string show_learnt(const std::vector<std::string>& runs, bool colours) {
  std::string text;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string run = terminal::without_controls(runs[i]);
    if (i % 2 == 0)
      text += run;
    else
      text += colours ? "\x1b[30;42m" + run + "\x1b[0m" : "[[" + run + "]]";
  }
  return text;
}

}  // namespace quern::data
