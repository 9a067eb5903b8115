// Many requests on one model, together: each gets the tokens it would get alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/active_request.h"
#include "engine/model_runner.h"
#include "engine/request.h"
#include "engine/speculation.h"
#include "infer/loaded_model.h"

namespace quern::engine {

struct EngineOptions {
  int64_t context = 0;       // tokens of one sequence at most; 0: as many as the model has positions
  int64_t cache_tokens = 0;  // of all sequences, and of what is remembered; 0: four times the context
  SchedulerLimits limits = {};
  SpeculationOptions speculation = {};
};

// Counters since the engine began, and what is there now.
struct EngineStats {
  int64_t waiting = 0, running = 0;
  int64_t blocks = 0, blocks_available = 0, blocks_remembered = 0;
  int64_t passes = 0, pass_tokens = 0, pass_sequences = 0;
  int64_t prompt_tokens = 0, reused_tokens = 0, computed_prompt_tokens = 0, generated_tokens = 0;
  // Of speculation: passes that verified guesses, tokens guessed, and of them right.
  int64_t guess_passes = 0, guessed_tokens = 0, accepted_tokens = 0;
  int64_t requests = 0, finished = 0, cancelled = 0, failed = 0, preempted = 0;
};

// For one thread. Seeds, not company, decide what is sampled: at the same seed a request gets the same tokens and
// log-probabilities, bit for bit, alone, in any batch, in pieces, preempted, beside requests of other adapters, with a prefix that was remembered, or with
// tokens that were guessed: a guess counts when it is the token that would have been chosen without it.
class Engine {
 public:
  // unsupported as check_model; errors of make_proposer; invalid_argument where the cache cannot hold one sequence; out_of_memory.
  // `proposer`: in place of what the options speculate with.
  static Result<std::unique_ptr<Engine>> create(std::shared_ptr<const infer::LoadedModel> loaded,
                                                const EngineOptions& options,
                                                std::unique_ptr<Proposer> proposer = nullptr);
  ~Engine();

  // invalid_argument, with the numbers, where the prompt is empty, leaves no room in the context, or holds a token outside
  // the vocabulary. Thread-safe.
  Result<void> check(const Request& request) const;
  // `now`: seconds of any clock that never goes back. Errors of check(): the receiver is not called then.
  Result<void> add(SequenceId id, Request request, Receiver receiver, double now);
  // Its receiver gets a last update, FinishReason::cancelled; nothing happens where it has had one.
  void cancel(SequenceId id, double now);
  void cancel_all(double now);
  // One pass. False when there was nothing to do.
  bool step(double now, const std::function<double()>& clock);

  bool empty() const;
  EngineStats stats() const;
  int64_t context() const { return options_.context; }
  const infer::LoadedModel& loaded() const { return *loaded_; }
  int64_t cache_bytes() const { return runner_.cache_bytes(); }

 private:
  Engine(std::shared_ptr<const infer::LoadedModel> loaded, const EngineOptions& options, int64_t blocks,
         std::unique_ptr<Proposer> proposer);
  std::vector<int32_t> virtual_tokens(const Request& request) const;
  std::string scope_of(const Request& request, SequenceId id, int64_t tokens) const;
  void expire(double now);
  void begin(const Piece& piece, double now);
  ModelRunner::Row row_of(const Piece& piece) const;
  void read(Plan& plan, std::span<const ModelRunner::Row> rows, const Tensor& logits);
  bool only_answers(const Plan& plan) const;
  std::vector<Guess> guess(Plan& plan, const std::function<double()>& clock);
  int64_t guess_room(const ActiveRequest& active) const;
  void learn(std::span<const Guess> guesses, std::span<const Piece> pieces);
  void fail(std::span<const Piece> pieces, const Error& error, double now);
  void tell(ActiveRequest& active, const Piece& piece, double now);
  void go_on(const ActiveRequest& active, int32_t token);
  void finish(ActiveRequest& active, Update&& update, double now);

  std::shared_ptr<const infer::LoadedModel> loaded_;
  EngineOptions options_;
  Scheduler scheduler_;
  ModelRunner runner_;
  std::optional<Speculation> speculation_;
  std::map<SequenceId, std::unique_ptr<ActiveRequest>> active_;
  EngineStats stats_;
};

}  // namespace quern::engine
