// A request that an engine is answering: what decides its next token, and what has been said.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/scheduler.h"
#include "infer/completion.h"

namespace quern::engine {

struct ActiveRequest {
  ActiveRequest(SequenceId number, int64_t virtual_tokens, Request asked, Receiver tell,
                const text::Tokenizer& tokenizer, double now);

  // What the logits [wanted, V] of a piece say, without telling anybody: many at a time. `sequence` has its tokens, with
  // virtual ones at their beginning and guesses at their end. These are followed as far as they are the very tokens that are chosen, so that the chooser never
  // sees one that was wrong.
  void read(const Piece& piece, std::span<const float> logits, size_t vocab,
            std::span<const int32_t> sequence);
  // Tells what was chosen, up to the token that ends the answer; the context has room for `room` more.
  void say(int64_t room, double now, Update& update);

  SequenceId id;
  int64_t before;  // virtual tokens that stand before the prompt
  Request request;
  Receiver receiver;
  infer::TokenChooser chooser;
  infer::AnswerText text;
  double arrival;
  bool planned = false;
  Usage usage;                      // does not count virtual tokens
  std::vector<TokenUpdate> prompt;  // scored so far

  // By the last pass: the guesses that were right, and one more unless choosing it failed.
  std::vector<TokenUpdate> chosen;
  std::optional<Error> failure;

 private:
  void score_prompt(const Piece& piece, std::span<const float> logits, size_t vocab,
                    std::span<const int32_t> tokens);
  void choose(std::span<const float> logits, std::span<const int32_t> tokens);
};

}  // namespace quern::engine
