#include "align/rollout.h"

#include <fmt/format.h>

#include <optional>

#include "base/clock.h"
#include "ops/decoded_blocks.h"

namespace quern::align {

namespace {

// A stream of random numbers for each answer: rounds count in the upper half.
uint64_t stream_of(uint64_t round, size_t answer) { return round << 32 | answer; }

// Adds what an update tells to an answer.
void take(engine::Update&& update, Rollout& rollout) {
  if (update.end) update.tokens.push_back(*update.end);
  for (const engine::TokenUpdate& token : update.tokens) {
    rollout.tokens.push_back(token.chosen.id);
    rollout.log_probs.push_back(token.drawn_logprob);
  }
  rollout.text += update.text;
  rollout.ended = rollout.ended || update.end.has_value();
}

}  // namespace

Result<Rollouts> Rollouts::create(std::shared_ptr<const infer::LoadedModel> loaded,
                                  const RolloutOptions& options, int64_t longest_prompt) {
  const int64_t context = std::ssize(loaded->model.virtual_tokens()) + longest_prompt + options.max_tokens;
  const int64_t positions = loaded->model.config().max_positions;
  if (context > positions) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("a prompt of {} tokens and an answer of {}, but the model has {} positions",
                                  longest_prompt, options.max_tokens, positions),
                      "shorten the answers (max_tokens), or leave long prompts out");
  }
  QUERN_TRY(std::unique_ptr<engine::Engine> engine,
            engine::Engine::create(std::move(loaded), {.context = context,
                                                       .cache_tokens = options.at_once * context,
                                                       .limits = {.sequences = options.at_once}}));
  return Rollouts(std::move(engine), options);
}

Result<std::vector<Rollout>> Rollouts::sample(std::span<const std::span<const int32_t>> prompts, int64_t each,
                                              uint64_t round) {
  return run(prompts, each, round,
             {.temperature = options_.temperature,
              .top_k = options_.top_k,
              .top_p = options_.top_p,
              .seed = options_.seed});
}

Result<std::vector<Rollout>> Rollouts::greedy(std::span<const std::span<const int32_t>> prompts) {
  return run(prompts, 1, 0, {.temperature = 0.0});
}

Result<std::vector<Rollout>> Rollouts::run(std::span<const std::span<const int32_t>> prompts, int64_t each,
                                           uint64_t round, const infer::SamplingOptions& sampling) {
  std::vector<Rollout> answers(prompts.size() * static_cast<size_t>(each));
  std::optional<Error> error;
  const ops::DecodedBlocks decoded(options_.decoded);
  const Stopwatch watch;
  const std::string scope = std::to_string(calls_++);
  for (size_t i = 0; i < answers.size() && !error; ++i) {
    const std::span<const int32_t> prompt = prompts[i / static_cast<size_t>(each)];
    engine::Request request{.prompt = {prompt.begin(), prompt.end()}, .scope = scope};
    request.options.sampling = sampling;
    request.options.max_tokens = options_.max_tokens;
    request.options.end_tokens = engine_->loaded().end_tokens;
    request.options.stream = stream_of(round, i);
    const Result<void> added = engine_->add(
        static_cast<engine::SequenceId>(i), std::move(request),
        [&error, &answer = answers[i]](engine::Update&& update) {
          if (update.error && !error) error = update.error;
          take(std::move(update), answer);
        },
        watch.seconds());
    if (!added.ok()) error = added.error();
  }
  while (!error && engine_->step(watch.seconds(), [&] { return watch.seconds(); })) {
  }
  engine_->cancel_all(watch.seconds());
  if (error) return *error;
  return answers;
}

}  // namespace quern::align
