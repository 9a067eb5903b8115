#include "infer/chat.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quern::infer {

namespace {

using Json = nlohmann::ordered_json;

bool is_from(const Json& message, std::string_view role) { return message.value("role", "") == role; }

// Where each exchange begins: at what the user says.
std::vector<size_t> exchanges_of(const Json& turns) {
  std::vector<size_t> begins;
  for (size_t i = 0; i < turns.size(); ++i) {
    if (is_from(turns[i], "user")) begins.push_back(i);
  }
  return begins;
}

Json without(const Json& turns, size_t begin, size_t end) {
  Json rest = Json::array();
  for (size_t i = 0; i < turns.size(); ++i) {
    if (i < begin || i >= end) rest.push_back(turns[i]);
  }
  return rest;
}

}  // namespace

Result<Chat> Chat::create(const LoadedModel& loaded, ChatOptions options) {
  if (loaded.templates.empty()) {
    return make_error(ErrorCode::unsupported, "this model knows no chat form: it has no chat template",
                      "'quern generate' goes on from any text; --template FILE gives a template, "
                      "--no-template does without");
  }
  return Chat(loaded, std::move(options));
}

Chat::Chat(const LoadedModel& loaded, ChatOptions options)
    : loaded_(loaded), options_(std::move(options)), session_(loaded.model, options_.context) {
  options_.completion.end_tokens = loaded.end_tokens;
}

void Chat::reset() { turns_.clear(); }

bool Chat::undo() {
  const std::vector<size_t> begins = exchanges_of(turns_);
  if (begins.empty()) return false;
  turns_ = without(turns_, begins.back(), turns_.size());
  return true;
}

Json Chat::with_system(const Json& turns) const {
  Json messages = Json::array();
  if (!options_.system.empty()) messages.push_back({{"role", "system"}, {"content", options_.system}});
  messages.insert(messages.end(), turns.begin(), turns.end());
  return messages;
}

Result<void> Chat::set_messages(const Json& messages) {
  const auto is_message = [](const Json& m) {
    return m.is_object() && m.contains("role") && m["role"].is_string() && m.contains("content");
  };
  if (!messages.is_array() || !std::ranges::all_of(messages, is_message)) {
    return make_error(ErrorCode::invalid_argument,
                      "expected a list of messages {\"role\": ..., \"content\": ...}");
  }
  const bool has_system =
      !messages.empty() && is_from(messages[0], "system") && messages[0]["content"].is_string();
  options_.system = has_system ? messages[0]["content"].get<std::string>() : "";
  turns_ = without(messages, 0, has_system ? 1 : 0);
  return {};
}

Result<Chat::Prompt> Chat::prompt(const Json& turns) const {
  text::ChatRequest request;
  request.messages = with_system(turns);
  request.tools = options_.tools;
  request.variables = options_.variables;
  request.add_generation_prompt = true;
  QUERN_TRY(text::ChatPrompt rendered, text::render_prompt(loaded_.templates, request, loaded_.tokenizer));
  std::vector<int32_t> tokens = encode_chat(loaded_, rendered);
  return Prompt{std::move(rendered.text), std::move(tokens)};
}

// Forgets down to half of the context at once: each time, all that follows has to be computed again.
Result<Forgotten> Chat::make_room() {
  QUERN_TRY(const Prompt whole, prompt(turns_));
  const auto size = static_cast<int64_t>(whole.tokens.size());
  Forgotten forgotten{.exchanges = 0, .tokens_before = size, .tokens_after = size};
  const int64_t answer = std::min(options_.completion.max_tokens, context() / 4);
  if (size + answer <= context()) return forgotten;
  const std::vector<size_t> begins = exchanges_of(turns_);
  const auto kept = static_cast<size_t>(std::max<int64_t>(options_.keep, 0));
  for (size_t next = kept + 1; next < begins.size() && forgotten.tokens_after > context() / 2; ++next) {
    QUERN_TRY(const Prompt shorter, prompt(without(turns_, begins[kept], begins[next])));
    forgotten.tokens_after = static_cast<int64_t>(shorter.tokens.size());
    forgotten.exchanges = static_cast<int64_t>(next - kept);
  }
  if (forgotten.exchanges > 0) {
    turns_ = without(turns_, begins[kept], begins[kept + static_cast<size_t>(forgotten.exchanges)]);
  }
  return forgotten;
}

Result<ChatAnswer> Chat::answer(const AnswerReceiver& receive) {
  ChatAnswer answer;
  QUERN_TRY(answer.forgotten, make_room());
  QUERN_TRY(const Prompt prompt, this->prompt(turns_));
  ReasoningSplitter splitter(prompt.text);
  const auto take = [&](const std::vector<AnswerPiece>& pieces) {
    bool go_on = true;
    for (const AnswerPiece& piece : pieces) {
      (piece.is_reasoning ? answer.reasoning : answer.text) += piece.text;
      if (receive && go_on) go_on = receive(piece);
    }
    return go_on;
  };
  bool wanted = true;
  // Asked after every token, so that it can stop one that says nothing yet.
  const auto push = [&](std::string_view piece) {
    const std::vector<AnswerPiece> pieces = splitter.push(piece);
    wanted = wanted && (pieces.empty() ? !receive || receive({}) : take(pieces));
    return wanted;
  };
  QUERN_TRY(answer.completion,
            complete(session_, loaded_.tokenizer, prompt.tokens, options_.completion, push));
  take(splitter.finish());
  Json message = {{"role", "assistant"}, {"content", answer.text}};
  if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
  turns_.push_back(std::move(message));
  return answer;
}

Result<ChatAnswer> Chat::say(const std::string& message, const AnswerReceiver& receive) {
  const Json before = turns_;
  turns_.push_back({{"role", "user"}, {"content", message}});
  Result<ChatAnswer> said = answer(receive);
  if (!said.ok()) turns_ = before;
  return said;
}

Result<ChatAnswer> Chat::retry(const AnswerReceiver& receive) {
  const std::vector<size_t> begins = exchanges_of(turns_);
  if (begins.empty()) return make_error(ErrorCode::not_found, "there is nothing to answer again");
  const Json before = turns_;
  turns_ = without(turns_, begins.back() + 1, turns_.size());
  ++options_.completion.stream;
  Result<ChatAnswer> said = answer(receive);
  if (!said.ok()) turns_ = before;
  return said;
}

}  // namespace quern::infer
