// Where guesses at the next tokens of a sequence come from.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/scheduler.h"
#include "infer/generate.h"
#include "infer/loaded_model.h"

namespace quern::engine {

// Guesses at what follows one sequence. What they are worth decides how fast an answer comes, never what it says.
struct Guess {
  SequenceId id = 0;
  std::span<const int32_t> tokens;               // of the sequence so far; not empty
  const infer::TokenChooser* chooser = nullptr;  // of its next token
  int64_t most = 0;                              // tokens that are of use
  // What look() tells.
  int32_t kind = 0;    // guesses of a kind are right about equally often
  int32_t next = -1;   // the first token, where it is known without work
  int64_t unread = 0;  // tokens of the sequence that propose() has to read first
  // What propose() tells: at most `most`.
  std::vector<int32_t> drafts = std::vector<int32_t>();
};

// Not thread-safe.
class Proposer {
 public:
  static constexpr int32_t kKinds = 4;  // Guess::kind is less

  virtual ~Proposer() = default;
  // Lowers `most` to the tokens that could be guessed, and fills the rest. Cheap: called for every pass.
  virtual void look(Guess& guess) = 0;
  // Fills the drafts of guesses that look() saw. May take a while, the longer the longer the longest is.
  virtual void propose(std::span<Guess*> guesses) = 0;
  // The sequence has ended; nothing happens where it was not known.
  virtual void forget(SequenceId id) = 0;
};

struct SpeculationOptions {
  enum class Kind : uint8_t { none, ngram, draft };
  Kind kind = Kind::none;
  int64_t most = 16;                                     // tokens that are guessed of a sequence at a time
  std::shared_ptr<const infer::LoadedModel> draft = {};  // of its kind: a smaller model of the same tokens
};

// For an engine of `loaded` with a cache of so many blocks; null for Kind::none. Errors of DraftProposer::create.
Result<std::unique_ptr<Proposer>> make_proposer(const SpeculationOptions& options,
                                                const infer::LoadedModel& loaded, int64_t blocks);

}  // namespace quern::engine
