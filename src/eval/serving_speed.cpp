#include "eval/serving_speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

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

// What asks for a passage of `text`, of `count` tokens.
Result<std::vector<int32_t>> repeating_prompt(const infer::LoadedModel& loaded, std::span<const int32_t> text,
                                              int64_t count, Rng& rng) {
  const uint64_t places = text.size() - static_cast<size_t>(count) + 1;
  const std::string passage =
      loaded.tokenizer.decode(text.subspan(rng.below(places), static_cast<size_t>(count)));
  const std::string question = "Repeat this text word for word, and say nothing else:\n\n" + passage;
  if (loaded.templates.empty()) return infer::encode_prompt(loaded.tokenizer, question + "\n\n", false);
  const text::ChatRequest chat{
      .messages = nlohmann::ordered_json::array({{{"role", "user"}, {"content", question}}}),
      .tools = {},
      .documents = {},
      .add_generation_prompt = true,
      .continue_field = {},
      .template_name = {}};
  QUERN_TRY(const auto prompt, text::render_prompt(loaded.templates, chat, loaded.tokenizer));
  return infer::encode_chat(loaded, prompt);
}

Result<void> check(const ServingSpeedOptions& options) {
  const bool positive = options.prompt > 0 && options.generate > 0 && options.shared >= 0 &&
                        std::ranges::all_of(options.clients, [](int64_t clients) { return clients > 0; });
  if (positive) return {};
  return make_error(ErrorCode::invalid_argument, "clients, prompt and generate are at least 1");
}

// What the clients of a test ask, in order.
Result<std::vector<engine::Request>> requests_of(const infer::LoadedModel& loaded,
                                                 const ServingSpeedOptions& options, int64_t clients) {
  const int64_t vocab = loaded.model.config().vocab_size;
  Rng rng(1, static_cast<uint64_t>(clients)), same(2, 2);
  const std::vector<int32_t> shared = random_tokens(options.shared, vocab, same);
  const std::vector<int32_t> text = loaded.tokenizer.encode(options.repeat, {.allow_special = false});
  const int64_t longest = options.prompt / 2 + options.prompt;
  if (!options.repeat.empty() && static_cast<int64_t>(text.size()) < longest) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("passages take up to {} tokens, and the text has {}", longest, text.size()),
                      "ask for shorter prompts, or give a longer text");
  }
  const int64_t count = options.requests > 0 ? options.requests : std::max<int64_t>(8, 3 * clients);
  std::vector<engine::Request> requests;
  for (int64_t i = 0; i < count; ++i) {
    engine::Request request{.prompt = shared};
    const int64_t length = about(options.prompt, rng);
    std::vector<int32_t> own;
    if (options.repeat.empty()) {
      own = random_tokens(length, vocab, rng);
      request.options.ignore_eos = true;
    } else {
      QUERN_TRY(own, repeating_prompt(loaded, text, length, rng));
      request.options.end_tokens = loaded.end_tokens;
      request.options.sampling.temperature = 0.0;
    }
    request.prompt.insert(request.prompt.end(), own.begin(), own.end());
    request.options.max_tokens = about(options.generate, rng);
    request.options.sampling.seed = static_cast<uint64_t>(i);
    requests.push_back(std::move(request));
  }
  return requests;
}

Result<void> check(std::span<const engine::Request> requests, const engine::Engine& engine) {
  int64_t longest = 0;
  for (const engine::Request& request : requests)
    longest = std::max(longest, static_cast<int64_t>(request.prompt.size()) + request.options.max_tokens);
  if (longest <= engine.context()) return {};
  return make_error(
      ErrorCode::invalid_argument,
      fmt::format("requests take up to {} tokens, and the context holds {}", longest, engine.context()),
      "ask for shorter prompts or answers");
}

// One test on an engine of its own.
class Run {
 public:
  Run(engine::Engine& engine, std::span<const engine::Request> requests, int64_t clients)
      : engine_(engine), requests_(requests), answers_(requests.size()) {
    test_.clients = clients;
    test_.requests = static_cast<int64_t>(requests.size());
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
  // Tokens and log-probabilities of each request.
  using Answer = std::vector<std::pair<int32_t, double>>;
  const std::vector<Answer>& answers() const { return answers_; }

 private:
  void ask() {
    if (asked_ == requests_.size()) return;
    const engine::Request& request = requests_[asked_];
    test_.prompt_tokens += static_cast<int64_t>(request.prompt.size());
    const auto receive = [this, &answer = answers_[asked_]](engine::Update&& update) {
      for (const engine::TokenUpdate& token : update.tokens)
        answer.emplace_back(token.chosen.id, token.chosen.logprob);
      if (update.last()) finish(update.usage);
    };
    engine_.add(static_cast<engine::SequenceId>(++asked_), request, receive, clock_.seconds()).value();
  }

  void finish(const engine::Usage& usage) {
    test_.generated_tokens += usage.generated_tokens;
    test_.first_token.values.push_back(usage.first_seconds);
    if (usage.generated_tokens > 1) {
      test_.between_tokens.values.push_back((usage.total_seconds - usage.first_seconds) /
                                            static_cast<double>(usage.generated_tokens - 1));
    }
    ++finished_;
    ask();
  }

  engine::Engine& engine_;
  std::span<const engine::Request> requests_;
  Stopwatch clock_;
  std::vector<Answer> answers_;
  ServingTest test_;
  size_t asked_ = 0;
  int64_t finished_ = 0;
};

// A test without guesses, and where the options have them, one with.
Result<ServingTest> measure_test(const std::shared_ptr<const infer::LoadedModel>& loaded,
                                 const ServingSpeedOptions& options, int64_t clients, Progress& progress) {
  QUERN_TRY(const auto requests, requests_of(*loaded, options, clients));
  engine::EngineOptions plain = options.engine;
  plain.speculation = {};
  QUERN_TRY(const auto without, engine::Engine::create(loaded, plain));
  QUERN_CHECK(check(requests, *without));
  Run reference(*without, requests, clients);
  ServingTest test = reference.measure(progress);
  if (options.engine.speculation.kind == engine::SpeculationOptions::Kind::none) return test;
  const double rate = test.tokens_per_second();
  Samples between_tokens = std::move(test.between_tokens);
  QUERN_TRY(const auto with, engine::Engine::create(loaded, options.engine));
  Run guessing(*with, requests, clients);
  test = guessing.measure(progress);
  const engine::EngineStats stats = with->stats();
  test.speculation = SpeculationTest{.guessed_tokens = stats.guessed_tokens,
                                     .accepted_tokens = stats.accepted_tokens,
                                     .passes = stats.passes,
                                     .passes_without = without->stats().passes,
                                     .tokens_per_second_without = rate,
                                     .between_tokens_without = std::move(between_tokens)};
  for (size_t i = 0; i < requests.size(); ++i)
    test.speculation->differing += guessing.answers()[i] == reference.answers()[i] ? 0 : 1;
  return test;
}

}  // namespace

Result<std::vector<ServingTest>> measure_serving_speed(
    const std::shared_ptr<const infer::LoadedModel>& loaded, const ServingSpeedOptions& options,
    Progress& progress) {
  QUERN_CHECK(check(options));
  std::vector<ServingTest> tests;
  for (const int64_t clients : options.clients) {
    QUERN_TRY(ServingTest test, measure_test(loaded, options, clients, progress));
    tests.push_back(std::move(test));
  }
  return tests;
}

}  // namespace quern::eval
