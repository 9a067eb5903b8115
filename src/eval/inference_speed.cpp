#include "eval/inference_speed.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/machine.h"
#include "base/read_bandwidth.h"
#include "base/rng.h"
#include "eval/statistics.h"
#include "infer/completion.h"
#include "infer/session.h"
#include "nn/module.h"

namespace quern::eval {

double Samples::median() const {
  std::vector<double> sorted = values;
  std::ranges::sort(sorted);
  return quantile(sorted, 0.5);
}
double Samples::min() const { return values.empty() ? 0.0 : *std::ranges::min_element(values); }
double Samples::max() const { return values.empty() ? 0.0 : *std::ranges::max_element(values); }

std::string SpeedTest::name() const {
  const std::string test = prompt > 0 ? fmt::format("pp{}", prompt) : fmt::format("tg{}", generate);
  return depth > 0 ? fmt::format("{} @ d{}", test, depth) : test;
}

double InferenceSpeed::bandwidth_share(const SpeedTest& test) const {
  const double bandwidth = read_bandwidth.median();
  if (bandwidth <= 0.0) return 0.0;
  return test.tokens_per_second.median() * static_cast<double>(test.bytes_per_token) / bandwidth;
}

int64_t weight_bytes_per_token(const model::Decoder& model) {
  int64_t bytes = 0;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& parameter) {
    const bool looked_up =
        name == "position.weight" || (name == "embedding.weight" && !model.config().tied_embeddings);
    const Tensor& value = parameter.value();
    bytes += looked_up ? value.bytes() / value.dim(0) : value.bytes();
  });
  return bytes;
}

namespace {

constexpr int kWarmingUp = -1;  // the number of the run before the measured ones

Result<std::vector<SpeedTest>> tests_of(const InferenceSpeedOptions& options,
                                        const model::ModelConfig& config) {
  std::vector<SpeedTest> tests;
  for (const int64_t depth : options.depths) {
    for (const int64_t prompt : options.prompts) tests.push_back({.prompt = prompt, .depth = depth});
    for (const int64_t generate : options.generate) tests.push_back({.generate = generate, .depth = depth});
  }
  std::erase_if(tests, [](const SpeedTest& test) { return test.prompt == 0 && test.generate == 0; });
  if (tests.empty())
    return make_error(ErrorCode::invalid_argument, "there is nothing to measure", "give -p or -n");
  if (options.repeat < 1) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("expected at least 1 repeat, got {}", options.repeat));
  }
  for (const SpeedTest& test : tests) {
    if (test.prompt < 0 || test.generate < 0 || test.depth < 0)
      return make_error(ErrorCode::invalid_argument, "expected numbers of tokens, got a negative one");
    if (test.depth > config.max_positions ||
        test.prompt + test.generate > config.max_positions - test.depth) {
      return make_error(
          ErrorCode::invalid_argument,
          fmt::format("{} needs more than the model's {} positions", test.name(), config.max_positions));
    }
  }
  return tests;
}

// Tokens of which no two with different `first` begin alike, so that a session keeps nothing of the one before.
std::vector<int32_t> some_tokens(int64_t count, int64_t vocab, int first) {
  Rng rng(1, 0);
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocab)));
  if (!tokens.empty()) tokens.front() = static_cast<int32_t>((first + 1) % vocab);
  return tokens;
}

// Tokens per second of one run of `test`.
Result<double> run_once(infer::Session& session, const SpeedTest& test, int run) {
  const int64_t vocab = session.model().config().vocab_size;
  // Decoding begins behind at least one token.
  const int64_t before = test.generate > 0 ? std::max<int64_t>(test.depth, 1) : test.depth;
  const std::vector<int32_t> tokens = some_tokens(before + test.prompt + test.generate, vocab, run);
  const auto place = [&](int64_t n) { return tokens.begin() + static_cast<std::ptrdiff_t>(n); };
  if (before > 0) QUERN_CHECK(session.set_tokens(std::span(tokens.begin(), place(before))));
  const Stopwatch watch;
  if (test.prompt > 0) {
    QUERN_CHECK(session.set_tokens(tokens));
  } else {
    for (auto token = place(before); token != tokens.end(); ++token) session.append(*token);
  }
  return static_cast<double>(test.prompt + test.generate) / watch.seconds();
}

// Bytes per second. The first pass wakes the threads, and brings the buffer into the cache if it fits.
double best_of_some(ReadBandwidth& memory) {
  double best = 0.0;
  for (int pass = 0; pass < 4; ++pass) best = std::max(best, memory.measure());
  return best;
}

Result<infer::LoadedModel> open_and_answer(const std::function<Result<infer::LoadedModel>()>& open,
                                           InferenceSpeed& speed) {
  const Stopwatch watch;
  QUERN_TRY(infer::LoadedModel loaded, open());
  speed.load_seconds = watch.seconds();
  std::vector<int32_t> prompt = infer::encode_prompt(loaded.tokenizer, "Hello");
  if (prompt.empty()) prompt.push_back(0);
  infer::Session session(loaded.model, static_cast<int64_t>(prompt.size()));
  QUERN_CHECK(session.set_tokens(prompt));
  speed.first_token_seconds = watch.seconds();
  return loaded;
}

}  // namespace

Result<InferenceSpeed> measure_inference_speed(const std::function<Result<infer::LoadedModel>()>& open,
                                               const InferenceSpeedOptions& options, Progress& progress) {
  InferenceSpeed speed;
  QUERN_TRY(const infer::LoadedModel loaded, open_and_answer(open, speed));
  const model::Decoder& model = loaded.model;
  QUERN_TRY(speed.tests, tests_of(options, model.config()));
  speed.parameters = nn::parameter_count(model);
  nn::visit(model, [&](const std::string&, const nn::Parameter& parameter) {
    speed.weight_bytes += parameter.value().bytes();
    if (parameter.strips().defined()) speed.packed_bytes += parameter.strips().bytes();
  });
  speed.cache_bytes_per_token =
      model::cache_spec(model.config(), {.capacity = ops::kKvSlots}, model.cache_dtype()).bytes() /
      ops::kKvSlots;
  int64_t context = 0;
  for (SpeedTest& test : speed.tests) {
    context = std::max(context, std::max<int64_t>(test.depth, 1) + test.prompt + test.generate);
    if (test.generate == 0) continue;
    const int64_t held = test.depth + test.generate / 2;
    test.bytes_per_token = weight_bytes_per_token(model) + speed.cache_bytes_per_token * held;
  }

  infer::Session session(model, context);
  const auto count = static_cast<int64_t>(speed.tests.size());
  ProgressScope scope(progress, "bench infer", count * (options.repeat + 1), "runs");
  int64_t done = 0;
  const auto run_all = [&](int run, const std::function<void(SpeedTest&, double)>& note) -> Result<void> {
    for (SpeedTest& test : speed.tests) {
      throw_if_interrupted();
      QUERN_TRY(const double rate, run_once(session, test, run));
      note(test, rate);
      scope.update(++done, {{"tok/s", rate}});
    }
    return {};
  };
  QUERN_CHECK(run_all(kWarmingUp, [](SpeedTest&, double) {}));
  speed.peak_bytes = peak_resident_bytes();
  ReadBandwidth beyond(options.bandwidth_bytes > 0 ? options.bandwidth_bytes : bytes_beyond_caches());
  ReadBandwidth again(weight_bytes_per_token(model));
  for (int run = 0; run < options.repeat; ++run) {
    QUERN_CHECK(
        run_all(run, [](SpeedTest& test, double rate) { test.tokens_per_second.values.push_back(rate); }));
    speed.read_bandwidth.values.push_back(best_of_some(beyond));
    speed.reread_bandwidth.values.push_back(best_of_some(again));
  }
  return speed;
}

}  // namespace quern::eval
