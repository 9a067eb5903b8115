// What is asked of an engine, and what it tells while it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "infer/completion.h"
#include "infer/loaded_adapter.h"

namespace quern::engine {

struct Request {
  std::vector<int32_t> prompt;  // not empty
  // How to go on; beams are not for engines.
  infer::CompletionOptions options = {};
  std::shared_ptr<const infer::LoadedAdapter> adapter =
      {};  // of the engine's model; null: the model as it is
  // Requests of different scopes never learn from each other's timing what the other's prompts were: they share no keys.
  std::string scope = {};
  int64_t priority = 0;          // the smaller, the sooner
  double timeout = 0.0;          // seconds until it is given up; 0: never
  int64_t top_logprobs = 0;      // likeliest tokens to tell beside each chosen one
  bool prompt_logprobs = false;  // tell the prompt's tokens, too; it is computed whole then
};

struct TokenLogprob {
  int32_t id = 0;
  double logprob = 0.0;  // log-softmax of the logits as they came
};

struct TokenUpdate {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top = {};  // the likeliest first
  double drawn_logprob = 0.0;          // infer::SampledToken's
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;  // of them: not computed, because the engine remembered them
  int64_t generated_tokens = 0;
  int64_t guessed_tokens = 0, accepted_tokens = 0;  // by speculation: verified, and of them right
  double queue_seconds = 0.0;                       // until its first piece was planned
  double first_seconds = 0.0;                       // until its first token
  double total_seconds = 0.0;
};

// What a pass brought to a request. Tokens and text come as soon as each is certain: text lags behind where a character is
// incomplete or a stop string may have begun.
struct Update {
  // Of the prompt, once and before all others, where they were asked for. The first token has no logprob: it is 0.
  std::vector<TokenUpdate> prompt = {};
  std::vector<TokenUpdate> tokens = {};
  std::string text = {};
  // The end token that the model chose in place of another token; not one of `tokens`.
  std::optional<TokenUpdate> end = {};
  // In the last update, one of the two.
  std::optional<infer::FinishReason> finish = {};
  std::optional<Error> error = {};
  Usage usage = {};  // so far

  bool last() const { return finish || error; }
};

// Called with each update of a request, in order, by the thread that runs the engine: it should not take long, and must
// not throw.
using Receiver = std::function<void(Update&&)>;

}  // namespace quern::engine
