#include "infer/chat.h"

#include <fmt/format.h>

namespace quern::infer {

Result<Chat> Chat::create(const LoadedModel& loaded, CompletionOptions options, int64_t context,
                          std::string system) {
  const text::ChatMarkup markup;
  for (const std::string& marker : {markup.user, markup.assistant, markup.end}) {
    if (!loaded.tokenizer.token_to_id(marker)) {
      return make_error(ErrorCode::unsupported,
                        fmt::format("this model knows no chat form: its tokenizer has no {}", marker),
                        "'quern generate' goes on from any text");
    }
  }
  return Chat(loaded, std::move(options), context, std::move(system));
}

Chat::Chat(const LoadedModel& loaded, CompletionOptions options, int64_t context, std::string system)
    : loaded_(loaded),
      options_(std::move(options)),
      system_(std::move(system)),
      session_(loaded.model, context) {
  options_.end_tokens.push_back(*loaded.tokenizer.token_to_id(markup_.end));
  reset();
}

void Chat::reset() {
  turns_.clear();
  if (!system_.empty()) turns_.push_back({"system", system_});
}

Result<Completion> Chat::say(const std::string& message,
                             const std::function<bool(std::string_view)>& receive) {
  turns_.push_back({"user", message});
  std::vector<int32_t> tokens;
  if (const auto bos = loaded_.tokenizer.special_ids().bos) tokens.push_back(*bos);
  // Markers are put in by us and read as such; what people type is plain text, whatever it looks like.
  for (const text::ChatTurn& turn : turns_) {
    const std::string& marker = turn.role == "system" ? markup_.system
                                : turn.role == "user" ? markup_.user
                                                      : markup_.assistant;
    tokens.push_back(*loaded_.tokenizer.token_to_id(marker));
    loaded_.tokenizer.encode(turn.content, tokens, {.add_special_tokens = false, .allow_special = false});
    if (turn.role == "assistant") tokens.push_back(*loaded_.tokenizer.token_to_id(markup_.end));
  }
  tokens.push_back(*loaded_.tokenizer.token_to_id(markup_.assistant));
  Result<Completion> completion = complete(session_, loaded_.tokenizer, tokens, options_, receive);
  if (completion.ok()) {
    turns_.push_back({"assistant", completion->text});
  } else {
    turns_.pop_back();
  }
  return completion;
}

}  // namespace quern::infer
