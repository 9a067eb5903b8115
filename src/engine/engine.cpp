#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/exception.h"
#include "base/threads.h"
#include "ops/kv_store.h"

namespace quern::engine {

namespace {

constexpr int64_t kMostCacheTokens = 32768;  // unless somebody asks for more, or one sequence needs them

// Of logits [V], as they came.
std::vector<TokenLogprob> likeliest(std::span<const float> logits, int64_t count, double normaliser) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto kept = static_cast<std::ptrdiff_t>(std::min<size_t>(static_cast<size_t>(count), ids.size()));
  std::ranges::partial_sort(ids, ids.begin() + kept, [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  std::vector<TokenLogprob> result;
  for (auto id = ids.begin(); id != ids.begin() + kept; ++id)
    result.push_back({*id, static_cast<double>(logits[static_cast<size_t>(*id)]) - normaliser});
  return result;
}

TokenUpdate scored(std::span<const float> logits, int32_t token, int64_t top) {
  const double normaliser = infer::log_sum_exp(logits);
  return {.chosen = {token, static_cast<double>(logits[static_cast<size_t>(token)]) - normaliser},
          .top = likeliest(logits, top, normaliser)};
}

}  // namespace

struct Engine::Active {
  Active(SequenceId number, Request asked, Receiver tell, const text::Tokenizer& tokenizer, double now)
      : id(number),
        request(std::move(asked)),
        receiver(std::move(tell)),
        chooser(request.options.generation()),
        text(tokenizer, request.options.stop),
        arrival(now) {
    usage.prompt_tokens = static_cast<int64_t>(request.prompt.size());
  }

  // What the logits of a piece say, without telling anybody: many at a time.
  void read(const Piece& piece, std::span<const float> logits, size_t vocab, std::span<const int32_t> tokens);

  SequenceId id;
  Request request;
  Receiver receiver;
  infer::TokenChooser chooser;
  infer::AnswerText text;
  double arrival;
  bool planned = false;
  Usage usage;
  std::vector<TokenUpdate> prompt;  // scored so far

  std::optional<TokenUpdate> chosen;  // by this pass
  std::optional<Error> failure;
};

void Engine::Active::read(const Piece& piece, std::span<const float> logits, size_t vocab,
                          std::span<const int32_t> tokens) try {
  chosen.reset();
  if (request.prompt_logprobs && piece.begin < usage.prompt_tokens) {
    if (prompt.empty()) prompt.push_back({.chosen = {tokens[0], 0.0}});
    for (int64_t i = piece.begin; i < std::min(piece.begin + piece.count, usage.prompt_tokens - 1); ++i) {
      if (static_cast<int64_t>(prompt.size()) != i + 1) continue;  // known before it was preempted
      const auto row = logits.subspan(static_cast<size_t>(i - piece.begin) * vocab, vocab);
      prompt.push_back(scored(row, tokens[static_cast<size_t>(i) + 1], request.top_logprobs));
    }
  }
  if (!piece.last || chooser.options().max_tokens == 0) return;
  const auto row = logits.last(vocab);
  const infer::SampledToken token = chooser.choose(row, tokens);
  chosen = TokenUpdate{.chosen = {token.id, token.logprob}};
  if (request.top_logprobs > 0) chosen->top = likeliest(row, request.top_logprobs, infer::log_sum_exp(row));
} catch (const Exception& broken) {
  failure = broken.error();
} catch (const std::exception& broken) {
  failure = make_error(ErrorCode::internal, broken.what());
}

Result<std::unique_ptr<Engine>> Engine::create(std::shared_ptr<const infer::LoadedModel> loaded,
                                               const EngineOptions& options) {
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
  return std::unique_ptr<Engine>(new Engine(std::move(loaded), resolved, blocks));
}

Engine::Engine(std::shared_ptr<const infer::LoadedModel> loaded, const EngineOptions& options, int64_t blocks)
    : loaded_(std::move(loaded)),
      options_(options),
      scheduler_(options.limits, blocks),
      runner_(loaded_->model, blocks) {}

Engine::~Engine() = default;

// Keys are shared by texts that turn alike, only. With dynamic NTK each token past the trained length turns anew: such
// texts keep to themselves.
std::string Engine::scope_of(const Request& request, SequenceId id, int64_t tokens) const {
  const ops::RopeConfig& rope = loaded_->model.config().rope;
  const bool alone =
      rope.scaling == ops::RopeScaling::ntk && tokens + request.options.max_tokens > rope.original_positions;
  return fmt::format("{}/{}/{}", alone ? id : 0, runner_.rope_length(tokens), request.scope);
}

Result<void> Engine::check(const Request& request) const {
  const auto count = static_cast<int64_t>(request.prompt.size());
  if (count == 0)
    return make_error(ErrorCode::invalid_argument, "the prompt is empty", "give at least one token of text");
  if (count + std::min<int64_t>(request.options.max_tokens, 1) > options_.context) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the prompt has {} tokens, and the context of {} has no room for an answer",
                                  count, options_.context),
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
  scheduler_.add(id, {.tokens = request.prompt,
                      .scope = scope_of(request, id, static_cast<int64_t>(request.prompt.size())),
                      .priority = request.priority,
                      .arrival = now,
                      .reuse = !request.prompt_logprobs});
  active_.emplace(
      id, std::make_unique<Active>(id, std::move(request), std::move(receiver), loaded_->tokenizer, now));
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
  std::vector<Active*> late;
  for (const auto& [id, active] : active_) {
    if (active->request.timeout > 0 && now - active->arrival > active->request.timeout)
      late.push_back(active.get());
  }
  for (Active* active : late) {
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
  const Plan plan = scheduler_.next();
  stats_.preempted += static_cast<int64_t>(plan.preempted.size());
  if (plan.pieces.empty()) return false;
  std::vector<ModelRunner::Row> rows;
  std::vector<int64_t> first{0};  // of the logits of each piece
  for (const Piece& piece : plan.pieces) {
    Active& active = *active_.at(piece.id);
    if (!active.planned) {
      active.planned = true;
      active.usage.queue_seconds = now - active.arrival;
      active.usage.reused_tokens = scheduler_.reused(piece.id);
      stats_.prompt_tokens += active.usage.prompt_tokens;
      stats_.reused_tokens += active.usage.reused_tokens;
    }
    const bool scores = active.request.prompt_logprobs && piece.begin < active.usage.prompt_tokens;
    if (piece.begin < active.usage.prompt_tokens) stats_.computed_prompt_tokens += piece.count;
    rows.push_back({.tokens = scheduler_.tokens(piece.id),
                    .blocks = scheduler_.blocks(piece.id),
                    .begin = piece.begin,
                    .count = piece.count,
                    .wanted = scores       ? piece.count
                              : piece.last ? 1
                                           : 0});
    first.push_back(first.back() + rows.back().wanted);
  }
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
  scheduler_.commit(plan);

  const auto vocab = static_cast<size_t>(logits.dim(1));
  std::vector<Active*> members;
  for (const Piece& piece : plan.pieces) members.push_back(active_.at(piece.id).get());
  parallel_for(static_cast<int64_t>(members.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const auto own = logits.span<float>().subspan(static_cast<size_t>(first[i]) * vocab,
                                                    static_cast<size_t>(rows[i].wanted) * vocab);
      members[i]->read(plan.pieces[i], own, vocab, rows[i].tokens);
    }
  });
  const double computed = clock();
  for (size_t i = 0; i < members.size(); ++i) tell(*members[i], plan.pieces[i], computed);
  return true;
}

void Engine::fail(std::span<const Piece> pieces, const Error& error, double now) {
  for (const Piece& piece : pieces) finish(*active_.at(piece.id), {.error = error}, now);
}

// Passes on what a pass brought to one request, and lets it go on or end.
void Engine::tell(Active& active, const Piece& piece, double now) {
  if (active.failure) return finish(active, {.error = *active.failure}, now);
  if (!piece.last) return;
  Update update;
  if (active.request.prompt_logprobs && active.usage.generated_tokens == 0)
    update.prompt = std::exchange(active.prompt, {});
  const std::span<const int32_t> tokens = scheduler_.tokens(active.id);
  if (!active.chosen) {
    update.finish = infer::FinishReason::length;  // no token was asked for
    return finish(active, std::move(update), now);
  }
  const int32_t token = active.chosen->chosen.id;
  const bool full = static_cast<int64_t>(tokens.size()) >= options_.context;
  if (active.chooser.ends(token)) {
    update.finish = infer::FinishReason::stop;
  } else if (full && !active.request.options.context_shift) {
    update.finish = infer::FinishReason::context_full;
  } else {
    if (active.usage.generated_tokens++ == 0) active.usage.first_seconds = now - active.arrival;
    ++stats_.generated_tokens;
    update.text = active.text.push(token);
    update.tokens.push_back(std::move(*active.chosen));
    if (active.text.stopped() || active.chooser.is_complete()) {
      update.finish = infer::FinishReason::stop;
    } else if (active.usage.generated_tokens >= active.chooser.options().max_tokens) {
      update.finish = infer::FinishReason::length;
    } else {
      go_on(active, token);
    }
  }
  if (update.finish) return finish(active, std::move(update), now);
  update.usage = active.usage;
  active.receiver(std::move(update));
}

// A full context forgets half of what follows the prompt. What is left is computed again, exactly, since keys are shared.
void Engine::go_on(const Active& active, int32_t token) {
  const std::span<const int32_t> held = scheduler_.tokens(active.id);
  std::vector<int32_t> tokens(held.begin(), held.end());
  const auto count = static_cast<int64_t>(tokens.size());
  const bool full = count >= options_.context;
  if (full) {
    const int64_t keep = std::min(active.usage.prompt_tokens, count / 2);
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

void Engine::finish(Active& active, Update&& update, double now) {
  if (!update.error && !active.text.stopped()) update.text += active.text.finish();
  active.usage.total_seconds = now - active.arrival;
  update.usage = active.usage;
  const bool cancelled = update.finish == infer::FinishReason::cancelled;
  ++(update.error ? stats_.failed : cancelled ? stats_.cancelled : stats_.finished);
  const SequenceId id = active.id;
  scheduler_.remove(id);
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
