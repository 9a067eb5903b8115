#include "eval/serving_speed.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/rng.h"

namespace quern::eval {

namespace {

// From a half to one and a half of `count`, on average `count`.
int64_t about(int64_t count, Rng& rng) {
  return std::max<int64_t>(1, count / 2 + static_cast<int64_t>(rng.below(static_cast<uint64_t>(count) + 1)));
}

std::vector<int32_t> random_tokens(int64_t count, int64_t vocab, Rng& rng) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocab)));
  return tokens;
}

Result<void> check(const ServingSpeedOptions& options, const engine::Engine& engine) {
  const bool positive = options.prompt > 0 && options.generate > 0 && options.shared >= 0 &&
                        std::ranges::all_of(options.clients, [](int64_t clients) { return clients > 0; });
  if (!positive)
    return make_error(ErrorCode::invalid_argument, "clients, prompt and generate are at least 1");
  const int64_t longest = options.shared + (3 * options.prompt + 1) / 2 + (3 * options.generate + 1) / 2;
  if (longest <= engine.context()) return {};
  return make_error(
      ErrorCode::invalid_argument,
      fmt::format("requests take up to {} tokens, and the context holds {}", longest, engine.context()),
      "ask for shorter prompts or answers");
}

// One test on an engine of its own.
class Run {
 public:
  Run(engine::Engine& engine, const ServingSpeedOptions& options, int64_t clients)
      : engine_(engine), options_(options), rng_(1, static_cast<uint64_t>(clients)) {
    test_.clients = clients;
    test_.requests = options.requests > 0 ? options.requests : std::max<int64_t>(8, 3 * clients);
    Rng same(2, 2);
    shared_ = random_tokens(options.shared, vocab(), same);
  }

  ServingTest measure(Progress& progress) {
    const ProgressScope scope(progress, fmt::format("{} clients", test_.clients), test_.requests, "requests");
    for (int64_t i = 0; i < test_.clients; ++i) ask();
    while (engine_.step(clock_.seconds(), [this] { return clock_.seconds(); })) {
      throw_if_interrupted();
      progress.update(finished_);
    }
    test_.seconds = clock_.seconds();
    test_.computed_prompt_tokens = engine_.stats().computed_prompt_tokens;
    return std::move(test_);
  }

 private:
  int64_t vocab() const { return engine_.loaded().model.config().vocab_size; }

  void ask() {
    if (asked_ == test_.requests) return;
    engine::Request request{.prompt = shared_};
    const auto own = random_tokens(about(options_.prompt, rng_), vocab(), rng_);
    request.prompt.insert(request.prompt.end(), own.begin(), own.end());
    request.options.max_tokens = about(options_.generate, rng_);
    request.options.ignore_eos = true;
    request.options.sampling.seed = static_cast<uint64_t>(asked_);
    test_.prompt_tokens += static_cast<int64_t>(request.prompt.size());
    const auto receive = [this](engine::Update&& update) {
      if (!update.last()) return;
      const engine::Usage& usage = update.usage;
      test_.generated_tokens += usage.generated_tokens;
      test_.first_token.values.push_back(usage.first_seconds);
      if (usage.generated_tokens > 1) {
        test_.between_tokens.values.push_back((usage.total_seconds - usage.first_seconds) /
                                              static_cast<double>(usage.generated_tokens - 1));
      }
      ++finished_;
      ask();
    };
    engine_.add(++asked_, std::move(request), receive, clock_.seconds()).value();
  }

  engine::Engine& engine_;
  const ServingSpeedOptions& options_;
  Stopwatch clock_;
  Rng rng_;
  std::vector<int32_t> shared_;
  ServingTest test_;
  int64_t asked_ = 0, finished_ = 0;
};

}  // namespace

Result<std::vector<ServingTest>> measure_serving_speed(
    const std::shared_ptr<const infer::LoadedModel>& loaded, const ServingSpeedOptions& options,
    Progress& progress) {
  std::vector<ServingTest> tests;
  for (const int64_t clients : options.clients) {
    QUERN_TRY(const auto engine, engine::Engine::create(loaded, options.engine));
    QUERN_CHECK(check(options, *engine));
    tests.push_back(Run(*engine, options, clients).measure(progress));
  }
  return tests;
}

}  // namespace quern::eval
