// ExampleRenderer: an example as tokens with what is learnt of them, in the form the model is served in.
//
// Conversations are rendered as they are for serving (text/chat_prompt.h): the same template, what people typed stays
// text, and one beginning-of-text token at most. What the assistant says is found in the rendered text
//   - by the {% generation %} marks of the template, where it has them;
//   - otherwise from the prompt that would be served before the answer: what the template writes after the prompt is the
//     answer. Where the whole conversation does not begin with that prompt (templates that move the system message, or
//     forget earlier thoughts), its last part must follow the last message before the answer all the same.
// The answer ends with the first end token behind its beginning, which belongs to it; an answer that the template leaves
// open is closed. An answer that cannot be found this way is refused, never guessed.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "data/examples/example.h"
#include "data/token_dataset.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace quern::data {

// What is learnt of an example.
enum class LearntPart {
  assistant,  // every answer of the assistant, with the token that ends it; behind a prompt, those after it
  last_turn,  // the last of them
  completion,  // all that follows the prompt, whatever the template writes at the end included (TRL's completions); the
               // prompt of a conversation is all before its last answer
  all,  // every token that another stands before
};

// A model's language, as infer::Language has it.
struct ExampleLanguage {
  text::Tokenizer tokenizer;
  text::ChatTemplates templates = {};
  std::vector<int32_t> end_tokens = {};
  std::optional<int32_t> chat_bos = {};
};

struct RenderChoices {
  LearntPart learn = LearntPart::assistant;
  bool special_tokens =
      true;  // in examples of texts, special tokens are read as such; what is typed in chats never is
  std::optional<std::time_t> now = {};  // the date that templates write; when not given, that of create()
};

// Immutable; safe to use from many threads.
class ExampleRenderer {
 public:
  // Tries the template on a conversation: unsupported, naming the template, when it refuses it, when its answers cannot
  // be found or end with no token, or when prompts begin with two beginning-of-text tokens.
  static Result<ExampleRenderer> create(ExampleLanguage language, RenderChoices choices);

  // One document, or of a preference two: prompt and preferred answer, prompt and the other one. Refusals:
  // template_refused, not_located, nothing_learnt.
  Refusal render(const Example& example, std::vector<TokenDocument>& documents) const;

  const text::Tokenizer& tokenizer() const { return language_.tokenizer; }
  // Of everything that decides what examples become, but for the date.
  Hash128 fingerprint() const;

 private:
  struct Chat;
  struct Answer {
    size_t begin = 0, end = 0;  // bytes of the rendered text
    bool closed = true;         // by a token that ends it, or by what follows
  };
  ExampleRenderer(ExampleLanguage language, RenderChoices choices)
      : language_(std::move(language)), choices_(choices) {}

  Result<void> probe();
  Refusal render_text(const std::string& prompt, const std::string& answer, TokenDocument& document) const;
  Refusal render_chat(const nlohmann::ordered_json& prompt, const nlohmann::ordered_json& answer,
                      const nlohmann::ordered_json& tools, TokenDocument& document) const;
  void learn(const Chat& chat, size_t begin, size_t end, TokenDocument& document) const;
  Refusal learn_answers(const Chat& chat, size_t first, TokenDocument& document) const;
  Refusal learn_completion(const Chat& chat, size_t first, TokenDocument& document) const;
  Refusal find_begin(const Chat& chat, size_t message, size_t& begin) const;
  Refusal find_by_tail(const Chat& chat, size_t message, const std::string& prompt, size_t& begin) const;
  Refusal find_end(const Chat& chat, size_t message, size_t limit, Answer& answer) const;
  std::optional<text::Span> end_token_in(const Chat& chat, size_t from, size_t limit) const;

  ExampleLanguage language_;
  RenderChoices choices_;
  std::optional<int32_t> turn_end_;  // what closes an answer that the template leaves open
};

// The text of the document in runs of tokens that are not learnt and that are, in turn, for people to see; the first run
// is not learnt, and may be empty.
std::vector<std::string> learnt_runs(const text::Tokenizer& tokenizer, const TokenDocument& document);
// These for a terminal, what is learnt on green ground; without colours, between [[ and ]].
std::string show_learnt(const std::vector<std::string>& runs, bool colours);

}  // namespace quern::data
