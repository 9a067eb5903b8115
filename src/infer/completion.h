// Text in, text out: a session, its tokenizer, stop strings and streaming together.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/beam_search.h"
#include "infer/generate.h"
#include "infer/stop_strings.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace quern::infer {

struct CompletionOptions {
  SamplingOptions sampling;
  int64_t max_tokens = 256;
  std::vector<std::string> stop;    // text that ends the answer; not part of it
  std::vector<int32_t> end_tokens;  // LoadedModel::end_tokens
  bool ignore_eos = false;          // they do not end the answer
  bool context_shift = false;       // GenerateOptions::context_shift
  uint64_t stream = 0;
  TokenRules rules = {};
  std::shared_ptr<grammar::TokenMasks> constraint = {};  // GenerateOptions::constraint; beams know none
  std::optional<ConstraintStart> constraint_start = {};  // GenerateOptions::constraint_start
  // Of complete_beams.
  int64_t beams = 1;
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::no;
  int64_t num_return = 1;  // answers, at most `beams`

  void fields(Fields& f);
  // Of one answer to be sampled.
  GenerateOptions generation() const;
};

// The text of an answer, token by token, up to the first stop string. Not thread-safe.
class AnswerText {
 public:
  // A token that was forced to come first (TokenRules::forced_first) is none of the text: BART's <s>.
  AnswerText(const text::Tokenizer& tokenizer, std::vector<std::string> stop, int32_t forced_first = -1)
      : decoder_(tokenizer), stops_(std::move(stop)), forced_first_(forced_first) {}

  // What became certain with this token, in whole characters and often nothing.
  std::string push(int32_t token);
  // What is certain now that no token follows.
  std::string finish();
  bool stopped() const { return stops_.stopped(); }

 private:
  text::StreamDecoder decoder_;
  StopStrings stops_;
  int32_t forced_first_;
};

struct Completion {
  std::string text;
  std::vector<SampledToken> tokens;
  FinishReason finish = FinishReason::length;
  bool unfinished = false;  // it ended before its constraint let it
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;      // of them: the session knew them already
  double prompt_seconds = 0.0;    // until the first logits
  double generate_seconds = 0.0;  // after that
};

// What a model goes on from: `text` with what its tokenizer puts around texts, as transformers gives it to
// models. Nothing at all becomes the beginning-of-text token where there is one. `allow_special`: see
// text::EncodeOptions.
std::vector<int32_t> encode_prompt(const text::Tokenizer& tokenizer, std::string_view text,
                                   bool allow_special = true);

// Sets the session to `prompt` and continues it. `receive` is called after every token with the text that
// became certain, in whole characters and often nothing, and returns false to stop; it may be empty. Errors
// of Session::set_tokens.
Result<Completion> complete(Session& session, const text::Tokenizer& tokenizer,
                            std::span<const int32_t> prompt, const CompletionOptions& options,
                            const std::function<bool(std::string_view)>& receive = {});

// The same by beam search, which does not sample: the best answers first, options.num_return of them, none where `go_on`
// stopped the search before there was one. Errors of Session::set_tokens; invalid_argument where the prompt leaves no
// room for an answer, or more answers are wanted than there are beams.
struct BeamCompletion {
  std::string text;
  Beam beam;
  FinishReason finish = FinishReason::length;
};
struct BeamCompletions {
  std::vector<BeamCompletion> answers;
  int64_t prompt_tokens = 0;
  double prompt_seconds = 0.0;
  double generate_seconds = 0.0;
};
Result<BeamCompletions> complete_beams(Session& session, const text::Tokenizer& tokenizer,
                                       std::span<const int32_t> prompt, const CompletionOptions& options,
                                       const std::function<bool()>& go_on);

}  // namespace quern::infer
