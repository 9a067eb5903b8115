#include "data/examples/read_example.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json.h"
#include "data/examples/messages.h"
#include "text/unicode.h"

namespace quern::data {

namespace {

using Json = nlohmann::ordered_json;

bool has(const Json& row, const char* field) {
  const auto found = row.find(field);
  return found != row.end() && !found->is_null();
}

bool is_blank(const Json& text) {
  return text.get_ref<const std::string&>().find_first_not_of(" \t\r\n") == std::string::npos;
}

// A field that must be there, and be text.
Refusal read_string(const Json& row, const char* field, std::string& text) {
  if (!has(row, field)) return {Fault::missing_field, field};
  if (!row[field].is_string()) return bad_value(field, "text", row[field]);
  text = row[field].get<std::string>();
  return {};
}

// The first of `fields` that the row has.
const char* first_of(const Json& row, std::initializer_list<const char*> fields) {
  for (const char* field : fields)
    if (has(row, field)) return field;
  return nullptr;
}

constexpr const char* conversation_field(const ExampleForm form) {
  return form == ExampleForm::sharegpt ? "conversations" : "messages";
}

// Alpaca's row as messages up to the answer: system, the exchanges before, the question.
Refusal read_alpaca_prompt(const Json& row, Json& messages) {
  messages = Json::array();
  std::string system, question, input;
  if (has(row, "system")) {
    if (Refusal refusal = read_string(row, "system", system)) return refusal;
    if (!system.empty()) messages.push_back(message_of("system", system));
  }
  const Json history = has(row, "history") ? row["history"] : Json::array();
  if (!history.is_array()) return bad_value("history", "a list of pairs", history);
  for (const Json& pair : history) {
    const bool fits = pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string();
    if (!fits) return bad_value("history", "pairs of texts", pair);
    messages.push_back(message_of("user", pair[0].get<std::string>()));
    messages.push_back(message_of("assistant", pair[1].get<std::string>()));
  }
  if (Refusal refusal = read_string(row, "instruction", question)) return refusal;
  if (has(row, "input")) {
    if (Refusal refusal = read_string(row, "input", input)) return refusal;
  }
  if (!question.empty() && !input.empty()) question += '\n';
  messages.push_back(message_of("user", question + input));
  return {};
}

// The list of messages in `field`, with the row's own "system" before it.
Refusal read_conversation(const Json& row, const char* field, Json& messages) {
  if (!row[field].is_array()) return bad_value(field, "a list of messages", row[field]);
  if (Refusal refusal = read_messages(row[field], field, messages)) return refusal;
  if (!has(row, "system")) return {};
  std::string system;
  if (Refusal refusal = read_string(row, "system", system)) return refusal;
  if (!system.empty() && (messages.empty() || messages[0]["role"] != "system"))
    messages.insert(messages.begin(), message_of("system", system));
  return {};
}

// A text, a message or a list of them, as it is; texts become a message of `role` where that is asked for.
Refusal read_side(const Json& json, const char* field, std::string_view role, bool as_message, Json& side) {
  if (!json.is_string()) {
    if (!json.is_array() && !json.is_object()) return bad_value(field, "text or messages", json);
    return read_messages(json, field, side);
  }
  side = as_message ? Json::array({message_of(role, json.get<std::string>())}) : json;
  return {};
}

// What a prompt and its answers say together: texts throughout, or messages throughout.
void agree_on_messages(Json& prompt, std::initializer_list<Json*> answers) {
  const bool any = prompt.is_array() || std::ranges::any_of(answers, [](Json* a) { return a->is_array(); });
  if (!any) return;
  if (prompt.is_string()) prompt = Json::array({message_of("user", prompt.get<std::string>())});
  for (Json* answer : answers)
    if (answer->is_string()) *answer = Json::array({message_of("assistant", answer->get<std::string>())});
}

// Takes what both answers begin with for the prompt: messages, or a text up to a space (TRL's rule).
void split_common_prompt(Example& example) {
  Json &chosen = example.answer, &rejected = example.rejected;
  if (!example.is_text()) {
    size_t common = 0;
    while (common < std::min(chosen.size(), rejected.size()) && chosen[common] == rejected[common]) ++common;
    example.prompt = Json::array();
    for (size_t i = 0; i < common; ++i) example.prompt.push_back(chosen[i]);
    for (Json* answer : {&chosen, &rejected})
      answer->erase(answer->begin(), answer->begin() + static_cast<std::ptrdiff_t>(common));
    return;
  }
  const auto a = chosen.get<std::string>(), b = rejected.get<std::string>();
  auto common = static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
  while (common > 0 && common < a.size() && (static_cast<unsigned char>(a[common]) & 0xC0) == 0x80) --common;
  if (common > 0 && a[common - 1] == ' ') --common;
  example.prompt = a.substr(0, common);
  chosen = a.substr(common);
  rejected = b.substr(common);
}

class ExampleReader {
 public:
  ExampleReader(const Json& row, const ExampleOptions& options, Example& example)
      : row_(row), options_(options), example_(example) {}

  Refusal read() {
    example_ = Example();
    if (has(row_, "tools")) {
      if (Refusal refusal = read_tools(row_["tools"], example_.tools)) return refusal;
    }
    const bool pair = has(row_, "chosen") || has(row_, "rejected");
    switch (options_.form) {
      case ExampleForm::automatic:
        return read_any(pair);
      case ExampleForm::completion:
        return read_completion();
      case ExampleForm::preference:
        return read_preference();
      case ExampleForm::unpaired:
        return read_unpaired();
      default:
        break;
    }
    if (pair) return read_preference();
    if (label_field() != nullptr) return read_unpaired();
    return options_.form == ExampleForm::alpaca ? read_alpaca()
                                                : read_chat(conversation_field(options_.form));
  }

 private:
  const char* label_field() const { return first_of(row_, {"label", "kto_tag"}); }
  const char* chat_field() const { return first_of(row_, {"messages", "conversations", "conversation"}); }

  Refusal read_any(bool pair) {
    if (pair) return read_preference();
    if (label_field() != nullptr &&
        (chat_field() != nullptr || has(row_, "prompt") || has(row_, "instruction")))
      return read_unpaired();
    if (const char* field = chat_field()) return read_chat(field);
    if (has(row_, "prompt")) return read_completion();
    if (has(row_, "instruction")) return read_alpaca();
    std::string names;
    for (const auto& [name, value] : row_.items()) names += (names.empty() ? "" : ", ") + name;
    return {Fault::unknown_form,
            fmt::format("fields {}: expected messages, conversations, prompt and completion, instruction and "
                        "output, or chosen and rejected",
                        names.empty() ? "none" : names.substr(0, 200))};
  }

  Refusal read_chat(const char* field) {
    example_.kind = ExampleKind::conversation;
    if (!has(row_, field)) return {Fault::missing_field, field};
    return read_conversation(row_, field, example_.answer);
  }

  Refusal read_alpaca() {
    example_.kind = ExampleKind::conversation;
    std::string answer;
    if (Refusal refusal = read_alpaca_prompt(row_, example_.answer)) return refusal;
    if (Refusal refusal = read_string(row_, "output", answer)) return refusal;
    example_.answer.push_back(message_of("assistant", answer));
    return {};
  }

  // The prompt of a row with separate answers, in whichever fields it is; null when there is none.
  Refusal read_prompt() {
    const char* chat = chat_field();
    if (has(row_, "prompt"))
      return read_side(row_["prompt"], "prompt", "user", options_.texts_are_messages, example_.prompt);
    if (chat != nullptr) return read_conversation(row_, chat, example_.prompt);
    if (has(row_, "instruction")) return read_alpaca_prompt(row_, example_.prompt);
    return {};
  }

  Refusal read_answer(const char* field, Json& answer) {
    if (!has(row_, field)) return {Fault::missing_field, field};
    return read_side(row_[field], field, "assistant", options_.texts_are_messages, answer);
  }

  Refusal read_completion() {
    example_.kind = ExampleKind::completion;
    if (!has(row_, "prompt")) return {Fault::missing_field, "prompt"};
    if (Refusal refusal = read_prompt()) return refusal;
    if (Refusal refusal = read_answer("completion", example_.answer)) return refusal;
    agree_on_messages(example_.prompt, {&example_.answer});
    return {};
  }

  Refusal read_preference() {
    example_.kind = ExampleKind::preference;
    if (Refusal refusal = read_prompt()) return refusal;
    if (Refusal refusal = read_answer("chosen", example_.answer)) return refusal;
    if (Refusal refusal = read_answer("rejected", example_.rejected)) return refusal;
    if (has(row_, "margin")) {
      const Json& margin = row_["margin"];
      if (!margin.is_number() || !std::isfinite(static_cast<float>(margin.get<double>())))
        return bad_value("margin", "a number", margin);
      example_.margin = margin.get<double>();
    }
    if (example_.answer.is_array() != example_.rejected.is_array())
      return {Fault::bad_value, "chosen and rejected: expected both as texts or both as messages"};
    if (example_.answer == example_.rejected)
      return {Fault::equal_answers, "chosen and rejected say the same"};
    // A prompt beside whole conversations repeats how they begin.
    const bool repeated = example_.prompt.is_string() && !example_.is_text() && example_.answer.size() > 1;
    if (example_.prompt.is_null() || example_.prompt.empty() || repeated)
      split_common_prompt(example_);
    else
      agree_on_messages(example_.prompt, {&example_.answer, &example_.rejected});
    return {};
  }

  Refusal read_unpaired() {
    example_.kind = ExampleKind::unpaired;
    const char* label = label_field();
    if (label == nullptr) return {Fault::missing_field, "label"};
    const std::optional<bool> wanted = flag_of(row_[label]);
    if (!wanted) return bad_value(label, "true or false", row_[label]);
    example_.wanted = *wanted;
    if (Refusal refusal = read_prompt()) return refusal;
    if (const char* field = first_of(row_, {"completion", "output"})) {
      if (Refusal refusal = read_answer(field, example_.answer)) return refusal;
      agree_on_messages(example_.prompt, {&example_.answer});
      return {};
    }
    // A conversation: its last message is the answer.
    if (!example_.prompt.is_array()) return {Fault::missing_field, "completion"};
    if (example_.prompt.empty() || example_.prompt.back()["role"] != "assistant")
      return {Fault::no_answer, "the last message is not the assistant's"};
    example_.answer = Json::array({example_.prompt.back()});
    example_.prompt.erase(example_.prompt.size() - 1);
    return {};
  }

  const Json& row_;
  const ExampleOptions& options_;
  Example& example_;
};

// Every message of the assistant says something.
Refusal check_answers(const Json& messages, size_t from) {
  bool any = false;
  for (size_t i = from; i < messages.size(); ++i) {
    const Json& message = messages[i];
    if (message["role"] == "user" && is_blank(message["content"]))
      return {Fault::no_prompt, fmt::format("message {}: the user says nothing", i)};
    if (message["role"] != "assistant") continue;
    any = true;
    if (is_blank(message["content"]) && !message.contains("tool_calls"))
      return {Fault::empty_answer, fmt::format("message {}: the assistant says nothing", i)};
  }
  if (!any) return {Fault::no_answer, "no message is the assistant's"};
  if (messages.back()["role"] != "assistant")
    return {Fault::bad_order,
            fmt::format("message {}: the last one is not the assistant's", messages.size() - 1)};
  return {};
}

Refusal check_texts(const Example& example) {
  if (is_blank(example.prompt)) return {Fault::no_prompt, "the prompt is empty"};
  if (is_blank(example.answer)) return {Fault::empty_answer, "the answer is empty"};
  if (example.kind == ExampleKind::preference && is_blank(example.rejected))
    return {Fault::empty_answer, "the rejected answer is empty"};
  return {};
}

Refusal check_messages(const Json& prompt, const Json& answer) {
  Json all = prompt;
  all.insert(all.end(), answer.begin(), answer.end());
  if (Refusal refusal = check_answers(all, prompt.size())) return refusal;
  return check_order(all);
}

Refusal check(const Example& example) {
  if (example.is_text()) return check_texts(example);
  if (example.kind != ExampleKind::conversation) {
    if (example.prompt.empty()) return {Fault::no_prompt, "the prompt has no messages"};
    if (example.prompt.back()["role"] == "assistant")
      return {Fault::bad_order, "the prompt ends with the assistant's message"};
    for (const Json& message : example.prompt)
      if (message["role"] == "user" && is_blank(message["content"]))
        return {Fault::no_prompt, "the user says nothing"};
  }
  if (Refusal refusal = check_messages(example.prompt, example.answer)) return refusal;
  if (example.kind != ExampleKind::preference) return {};
  return check_messages(example.prompt, example.rejected);
}

}  // namespace

std::string_view name_of(ExampleForm form) {
  constexpr std::array<std::string_view, 7> kNames = {"auto",       "alpaca",     "sharegpt", "messages",
                                                      "completion", "preference", "unpaired"};
  return kNames[static_cast<size_t>(form)];
}

Refusal read_example(std::string_view text, const ExampleOptions& options, Example& example) {
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    const size_t at = text::valid_utf8_prefix(text);
    return {Fault::invalid_utf8,
            fmt::format("byte {} (0x{:02x}) is not UTF-8", at, static_cast<uint8_t>(text[at]))};
  }
  Result<Json> row = parse_ordered_json(text, "row");
  if (!row.ok()) return {Fault::not_json, row.error().message};
  if (!row->is_object())
    return {Fault::not_json, fmt::format("expected an object, got {}", row->type_name())};
  for (const auto& [theirs, ours] : options.renamed)
    if (has(*row, theirs.c_str())) {
      Json value = std::move((*row)[theirs]);
      row->erase(theirs);
      (*row)[ours] = std::move(value);
    }
  if (Refusal refusal = ExampleReader(*row, options, example).read()) return refusal;
  return check(example);
}

}  // namespace quern::data
