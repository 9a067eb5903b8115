#include "align/prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "data/examples/messages.h"
#include "data/examples/row_reader.h"
#include "data/permutation.h"
#include "infer/completion.h"
#include "text/chat_prompt.h"

namespace quern::align {

namespace {

using Json = nlohmann::ordered_json;

Error bad(std::string message, std::string hint = {}) {
  return make_error(ErrorCode::invalid_argument, std::move(message), std::move(hint));
}

// The first of `names` that the row has.
const Json* field_of(const Json& row, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = row.find(name);
    if (found != row.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

Result<std::string> read_reference(const Json& row) {
  const Json* field = field_of(row, {"answer", "completion"});
  if (field == nullptr) return std::string();
  if (field->is_string()) return field->get<std::string>();
  if (field->is_number()) return field->dump();
  Json messages;
  if (const data::Refusal refusal = data::read_messages(*field, "answer", messages)) return bad(refusal.what);
  return messages.empty() ? std::string() : messages.back()["content"].get<std::string>();
}

// What the row asks, in one of its two forms.
Result<void> read_asked(const Json& asked, const Json& row, const PromptOptions& options, Prompt& prompt) {
  if (asked.is_string() && !options.texts_as_messages) {
    if (asked.get_ref<const std::string&>().empty()) return bad("prompt: nothing is asked");
    prompt.asked = asked;
    return {};
  }
  prompt.asked = Json::array();
  if (asked.is_string()) {
    prompt.asked.push_back(data::message_of("user", asked.get<std::string>()));
  } else if (const data::Refusal refusal = data::read_messages(asked, "prompt", prompt.asked)) {
    return bad(refusal.what);
  }
  if (prompt.asked.empty() || prompt.asked.back()["role"] == "assistant")
    return bad("prompt: expected messages that end with a question");
  if (const Json* tools = field_of(row, {"tools"})) {
    if (const data::Refusal refusal = data::read_tools(*tools, prompt.tools)) return bad(refusal.what);
  }
  return {};
}

Result<void> encode(const infer::Language& language, Prompt& prompt) {
  if (prompt.asked.is_string()) {
    prompt.text = prompt.asked.get<std::string>();
    prompt.tokens = infer::encode_prompt(language.tokenizer, prompt.text);
    return {};
  }
  text::ChatRequest request;
  request.add_generation_prompt = true;
  request.messages = prompt.asked;
  request.tools = prompt.tools;
  QUERN_TRY(const text::ChatPrompt rendered,
            text::render_prompt(language.templates, request, language.tokenizer));
  prompt.text = rendered.text;
  prompt.tokens = infer::encode_chat(language, rendered);
  return {};
}

Result<Prompt> read_prompt(const std::string& text, const infer::Language* language,
                           const PromptOptions& options) {
  Prompt prompt;
  QUERN_TRY(prompt.row, parse_ordered_json(text, "row"));
  if (!prompt.row.is_object())
    return bad(fmt::format("expected an object, got {}", json_excerpt(prompt.row)));
  const Json* asked = field_of(prompt.row, {"prompt", "question", "messages"});
  if (asked == nullptr)
    return bad("there is no prompt", "rows have \"prompt\" (text or messages) and \"answer\"");
  QUERN_CHECK(read_asked(*asked, prompt.row, options, prompt));
  if (language != nullptr) QUERN_CHECK(encode(*language, prompt));
  QUERN_TRY(prompt.reference, read_reference(prompt.row));
  if (options.references && prompt.reference.empty())
    return bad("there is no answer to compare with",
               "rows have \"prompt\" (text or messages) and \"answer\"");
  const auto tokens = static_cast<int64_t>(prompt.tokens.size());
  if (tokens > options.max_tokens)
    return bad(fmt::format("the prompt has {} tokens, and there is room for {}", tokens, options.max_tokens),
               "raise train.sequence, shorten the answers (rollout.max_tokens), or leave the row out");
  return prompt;
}

}  // namespace

PromptSet::PromptSet(std::vector<Prompt> prompts) {
  Hasher hasher;
  for (const Prompt& prompt : prompts) hasher.add(prompt.row.dump());
  key_ = hasher.result().low;
  prompts_ = std::make_shared<const std::vector<Prompt>>(std::move(prompts));
}

Result<PromptSet> PromptSet::read(const std::filesystem::path& path, const infer::Language& language,
                                  const PromptOptions& options) {
  return read(path, &language, options);
}

Result<PromptSet> PromptSet::read(const std::filesystem::path& path, const PromptOptions& options) {
  return read(path, nullptr, options);
}

Result<PromptSet> PromptSet::read(const std::filesystem::path& path, const infer::Language* language,
                                  const PromptOptions& options) {
  if (options.max_tokens < 1) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("answers leave {} tokens for the prompt", options.max_tokens),
                      "let answers be shorter (max_tokens), or rows longer (train.sequence)");
  }
  QUERN_TRY(data::RowReader reader, data::RowReader::open({path.string()}));
  std::vector<Prompt> prompts;
  data::RowReader::Row row;
  for (;;) {
    QUERN_TRY(const bool found, reader.next(row));
    if (!found) break;
    Result<Prompt> prompt = read_prompt(row.text, language, options);
    if (!prompt.ok())
      return std::move(prompt).error().within(
          fmt::format("{}:{}", reader.files()[row.file].string(), row.line));
    prompts.push_back(*std::move(prompt));
  }
  if (prompts.empty()) return bad(fmt::format("{}: there are no prompts", path.string()));
  return PromptSet(std::move(prompts));
}

int64_t PromptSet::drawn(int64_t drawn, uint64_t seed) const {
  const auto count = static_cast<uint64_t>(size()), place = static_cast<uint64_t>(drawn);
  return static_cast<int64_t>(data::Permutation(count, seed, place / count)(place % count));
}

int64_t PromptSet::longest() const {
  size_t longest = 0;
  for (const Prompt& prompt : *prompts_) longest = std::max(longest, prompt.tokens.size());
  return static_cast<int64_t>(longest);
}

}  // namespace quern::align
