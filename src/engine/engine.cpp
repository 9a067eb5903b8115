#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/exception.h"
#include "base/threads.h"
#include "ops/kv_store.h"

namespace quern::engine {

namespace {

constexpr int64_t kMostCacheTokens = 32768;  // unless somebody asks for more, or one sequence needs them

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(std::shared_ptr<const infer::LoadedModel> loaded,
                                               const EngineOptions& options,
                                               std::unique_ptr<Proposer> proposer) {
  QUERN_CHECK(check_model(loaded->model));
  EngineOptions resolved = options;
  const int64_t positions = loaded->model.config().max_positions;
  resolved.context = options.context <= 0 ? positions : std::min(options.context, positions);
  if (resolved.cache_tokens <= 0)
    resolved.cache_tokens = std::max(resolved.context, std::min(4 * resolved.context, kMostCacheTokens));
  if (resolved.cache_tokens < resolved.context) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("a cache of {} tokens is less than one context of {}",
                                  resolved.cache_tokens, resolved.context),
                      "lower the context, or give the cache more tokens");
  }
  // One more than the tokens fill: a sequence that fills the context still asks for the next.
  const int64_t blocks = ops::kv_blocks_for(resolved.cache_tokens) + 1;
  if (!proposer) {
    QUERN_TRY(proposer, make_proposer(options.speculation, *loaded, blocks));
  }
  return std::unique_ptr<Engine>(new Engine(std::move(loaded), resolved, blocks, std::move(proposer)));
}

Engine::Engine(std::shared_ptr<const infer::LoadedModel> loaded, const EngineOptions& options, int64_t blocks,
               std::unique_ptr<Proposer> proposer)
    : loaded_(std::move(loaded)),
      options_(options),
      scheduler_(options.limits, blocks),
      runner_(loaded_->model, blocks) {
  if (proposer) speculation_.emplace(std::move(proposer));
}

Engine::~Engine() = default;

// What stands before the prompt.
std::vector<int32_t> Engine::virtual_tokens(const Request& request) const {
  return loaded_->model.virtual_tokens(request.adapter ? request.adapter->weights.get() : nullptr);
}

// Keys are shared by texts that turn alike, only. With dynamic NTK each token past the trained length turns anew: such
// texts keep to themselves. An adapter makes other keys.
std::string Engine::scope_of(const Request& request, SequenceId id, int64_t tokens) const {
  const ops::RopeConfig& rope = loaded_->model.config().rope;
  const bool alone =
      rope.scaling == ops::RopeScaling::ntk && tokens + request.options.max_tokens > rope.original_positions;
  return fmt::format("{}/{}/{}/{}", alone ? id : 0, runner_.rope_length(tokens),
                     request.adapter ? request.adapter->id : 0, request.scope);
}

Result<void> Engine::check(const Request& request) const {
  const auto count = static_cast<int64_t>(request.prompt.size());
  if (count == 0)
    return make_error(ErrorCode::invalid_argument, "the prompt is empty", "give at least one token of text");
  if (request.adapter && request.adapter->model != &loaded_->model) {
    return make_error(ErrorCode::conflict,
                      fmt::format("adapter '{}' belongs to another model", request.adapter->name));
  }
  const auto before = std::ssize(virtual_tokens(request));
  if (before + count + std::min<int64_t>(request.options.max_tokens, 1) > options_.context) {
    const std::string beside =
        before == 0 ? "" : fmt::format(" beside the {} virtual ones of its adapter", before);
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the prompt has {} tokens{}, and the context of {} has no room for an answer", count,
                    beside, options_.context),
        "shorten the prompt, or give the engine a larger context");
  }
  const int64_t vocab = loaded_->model.config().vocab_size;
  const auto outside = std::ranges::find_if(request.prompt, [&](int32_t t) { return t < 0 || t >= vocab; });
  if (outside != request.prompt.end()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the prompt holds token {}, but the vocabulary has {}", *outside, vocab),
                      "token ids belong to one tokenizer: is it this model's?");
  }
  return {};
}

Result<void> Engine::add(SequenceId id, Request request, Receiver receiver, double now) {
  QUERN_CHECK(check(request));
  std::vector<int32_t> tokens = virtual_tokens(request);
  const auto before = std::ssize(tokens);
  tokens.insert(tokens.end(), request.prompt.begin(), request.prompt.end());
  std::string scope = scope_of(request, id, std::ssize(tokens));
  scheduler_.add(id, {.tokens = std::move(tokens),
                      .scope = std::move(scope),
                      .priority = request.priority,
                      .arrival = now,
                      .reuse = !request.prompt_logprobs});
  active_.emplace(id, std::make_unique<ActiveRequest>(id, before, std::move(request), std::move(receiver),
                                                      loaded_->tokenizer, now));
  ++stats_.requests;
  return {};
}

void Engine::cancel(SequenceId id, double now) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  finish(*found->second, {.finish = infer::FinishReason::cancelled}, now);
}

void Engine::cancel_all(double now) {
  while (!active_.empty()) cancel(active_.begin()->first, now);
}

void Engine::expire(double now) {
  std::vector<ActiveRequest*> late;
  for (const auto& [id, active] : active_) {
    if (active->request.timeout > 0 && now - active->arrival > active->request.timeout)
      late.push_back(active.get());
  }
  for (ActiveRequest* active : late) {
    finish(*active,
           {.error =
                make_error(ErrorCode::deadline,
                           fmt::format("the answer was not ready after {} seconds", active->request.timeout),
                           "ask for fewer tokens, or allow more time")},
           now);
  }
}

bool Engine::step(double now, const std::function<double()>& clock) {
  expire(now);
  Plan plan = scheduler_.next();
  stats_.preempted += static_cast<int64_t>(plan.preempted.size());
  if (plan.pieces.empty()) return false;
  for (const Piece& piece : plan.pieces) begin(piece, now);
  std::vector<Guess> guesses;
  if (speculation_ && only_answers(plan)) guesses = guess(plan, clock);
  const double start = clock();
  std::vector<ModelRunner::Row> rows;
  for (const Piece& piece : plan.pieces) rows.push_back(row_of(piece));
  Tensor logits;
  try {
    for (const Plan::Copy& copy : plan.copies) runner_.copy_block(copy);
    logits = runner_.run(rows);
  } catch (const std::exception& broken) {
    const auto* known = dynamic_cast<const Exception*>(&broken);
    const Error error = known ? known->error() : make_error(ErrorCode::internal, broken.what());
    scheduler_.abandon(plan);
    fail(plan.pieces, error, clock());
    return true;
  }
  ++stats_.passes;
  stats_.pass_tokens += plan.tokens();
  stats_.pass_sequences += static_cast<int64_t>(plan.pieces.size());
  read(plan, rows, logits);
  const double computed = clock();
  if (!guesses.empty()) {
    speculation_->measure(plan.tokens(), computed - start);
    learn(guesses, plan.pieces);
  }
  scheduler_.commit(plan);
  for (const Piece& piece : plan.pieces) tell(*active_.at(piece.id), piece, computed);
  return true;
}

void Engine::begin(const Piece& piece, double now) {
  ActiveRequest& active = *active_.at(piece.id);
  if (piece.begin < active.before + active.usage.prompt_tokens) stats_.computed_prompt_tokens += piece.count;
  if (std::exchange(active.planned, true)) return;
  active.usage.queue_seconds = now - active.arrival;
  active.usage.reused_tokens = std::max<int64_t>(scheduler_.reused(piece.id) - active.before, 0);
  stats_.prompt_tokens += active.usage.prompt_tokens;
  stats_.reused_tokens += active.usage.reused_tokens;
}

ModelRunner::Row Engine::row_of(const Piece& piece) const {
  const ActiveRequest& active = *active_.at(piece.id);
  const bool scores =
      active.request.prompt_logprobs && piece.begin < active.before + active.usage.prompt_tokens;
  return {.tokens = scheduler_.tokens(piece.id),
          .blocks = scheduler_.blocks(piece.id),
          .begin = piece.begin,
          .count = piece.count,
          .wanted = scores       ? piece.count
                    : piece.last ? 1 + piece.guessed
                                 : 0,
          .adapter = active.request.adapter ? active.request.adapter->weights.get() : nullptr};
}

// Lets each sequence choose, and tells the plan which guesses were right.
void Engine::read(Plan& plan, std::span<const ModelRunner::Row> rows, const Tensor& logits) {
  const auto vocab = static_cast<size_t>(logits.dim(1));
  std::vector<ActiveRequest*> members;
  std::vector<std::span<const float>> own;
  size_t first = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    members.push_back(active_.at(plan.pieces[i].id).get());
    own.push_back(logits.span<float>().subspan(first, static_cast<size_t>(rows[i].wanted) * vocab));
    first += own.back().size();
  }
  parallel_for(static_cast<int64_t>(members.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      members[i]->read(plan.pieces[i], own[i], vocab, rows[i].tokens);
  });
  for (size_t i = 0; i < members.size(); ++i) {
    const auto chosen = static_cast<int64_t>(members[i]->chosen.size());
    plan.pieces[i].accepted = std::max<int64_t>(chosen - 1, 0);
  }
}

// Prompts fill a pass as it is.
bool Engine::only_answers(const Plan& plan) const {
  return std::ranges::all_of(plan.pieces, [&](const Piece& piece) {
    return piece.last && piece.count == 1 && active_.at(piece.id)->usage.generated_tokens > 0;
  });
}

// Guesses for each piece, some of none; the plan computes them, too.
std::vector<Guess> Engine::guess(Plan& plan, const std::function<double()>& clock) {
  std::vector<Guess> guesses;
  for (const Piece& piece : plan.pieces) {
    const ActiveRequest& active = *active_.at(piece.id);
    guesses.push_back({.id = piece.id,
                       .tokens = scheduler_.tokens(piece.id).subspan(static_cast<size_t>(active.before)),
                       .chooser = &active.chooser,
                       .most = guess_room(active)});
  }
  speculation_->guess(guesses, scheduler_.spare(plan), clock);
  for (size_t i = 0; i < guesses.size(); ++i) scheduler_.guess(plan.pieces[i], guesses[i].drafts);
  return guesses;
}

// Tokens after the last that a pass can compute as if they came one by one: within the context, and while none makes the
// keys of the others turn anew.
int64_t Engine::guess_room(const ActiveRequest& active) const {
  const auto known = static_cast<int64_t>(scheduler_.tokens(active.id).size());
  const int64_t wanted = active.chooser.options().max_tokens - active.usage.generated_tokens - 1;
  int64_t room = std::min({options_.speculation.most, wanted, options_.context - known});
  while (room > 0 && runner_.rope_length(known) != runner_.rope_length(known + room)) --room;
  return std::max<int64_t>(room, 0);
}

void Engine::learn(std::span<const Guess> guesses, std::span<const Piece> pieces) {
  bool verified = false;
  for (size_t i = 0; i < guesses.size(); ++i) {
    const Piece& piece = pieces[i];
    ActiveRequest& active = *active_.at(piece.id);
    active.usage.guessed_tokens += piece.guessed;
    active.usage.accepted_tokens += piece.accepted;
    stats_.guessed_tokens += piece.guessed;
    stats_.accepted_tokens += piece.accepted;
    verified = verified || piece.guessed > 0;
    if (!active.chosen.empty())
      speculation_->learn(guesses[i], piece.guessed, piece.accepted, active.chosen.back().chosen.id);
  }
  stats_.guess_passes += verified ? 1 : 0;
}

void Engine::fail(std::span<const Piece> pieces, const Error& error, double now) {
  for (const Piece& piece : pieces) finish(*active_.at(piece.id), {.error = error}, now);
}

// Passes on what a pass brought to one request, and lets it go on or end.
void Engine::tell(ActiveRequest& active, const Piece& piece, double now) {
  if (active.failure && active.chosen.empty()) return finish(active, {.error = *active.failure}, now);
  if (!piece.last) return;
  Update update;
  if (active.request.prompt_logprobs && active.usage.generated_tokens == 0)
    update.prompt = std::exchange(active.prompt, {});
  if (active.chosen.empty()) update.finish = infer::FinishReason::length;  // no token was asked for
  const int64_t held = piece.begin + piece.count - piece.guessed;
  stats_.generated_tokens -= active.usage.generated_tokens;
  active.say(options_.context - held, now, update);
  stats_.generated_tokens += active.usage.generated_tokens;
  if (update.finish) return finish(active, std::move(update), now);
  if (!active.failure) go_on(active, update.tokens.back().chosen.id);
  update.usage = active.usage;
  active.receiver(std::move(update));
  if (active.failure) finish(active, {.error = *active.failure}, now);
}

// A full context forgets half of what follows the prompt. What is left is computed again, exactly, since keys are shared.
void Engine::go_on(const ActiveRequest& active, int32_t token) {
  const std::span<const int32_t> held = scheduler_.tokens(active.id);
  std::vector<int32_t> tokens(held.begin(), held.end());
  const auto count = static_cast<int64_t>(tokens.size());
  const bool full = count >= options_.context;
  if (full) {
    const int64_t room = count - active.before;
    const int64_t keep = active.before + std::min(active.usage.prompt_tokens, room / 2);
    tokens.erase(tokens.begin() + keep, tokens.begin() + keep + std::max<int64_t>(1, (count - keep) / 2));
  }
  tokens.push_back(token);
  const ops::RopeConfig& rope = loaded_->model.config().rope;
  const bool turns_anew = rope.scaling == ops::RopeScaling::longrope &&
                          runner_.rope_length(count) != runner_.rope_length(count + 1);
  if (!full && !turns_anew) return scheduler_.append(active.id, token);
  std::string scope = scope_of(active.request, active.id, static_cast<int64_t>(tokens.size()));
  scheduler_.restart(active.id, std::move(tokens), std::move(scope));
}

void Engine::finish(ActiveRequest& active, Update&& update, double now) {
  if (!update.error && !active.text.stopped()) update.text += active.text.finish();
  active.usage.total_seconds = now - active.arrival;
  update.usage = active.usage;
  const bool cancelled = update.finish == infer::FinishReason::cancelled;
  ++(update.error ? stats_.failed : cancelled ? stats_.cancelled : stats_.finished);
  const SequenceId id = active.id;
  scheduler_.remove(id);
  if (speculation_) speculation_->forget(id);
  active.receiver(std::move(update));
  active_.erase(id);
}

bool Engine::empty() const { return active_.empty(); }

EngineStats Engine::stats() const {
  EngineStats stats = stats_;
  stats.waiting = scheduler_.waiting();
  stats.running = scheduler_.running();
  stats.blocks = scheduler_.pool().size();
  stats.blocks_available = scheduler_.pool().available();
  stats.blocks_remembered = scheduler_.pool().remembered();
  return stats;
}

}  // namespace quern::engine
