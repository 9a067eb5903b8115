// How fast an engine answers many at once: what continuous batching is worth on this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "eval/inference_speed.h"

namespace quern::eval {

// Clients that ask again as soon as they are answered. Lengths of prompts and answers are drawn evenly from a half to one
// and a half of what is said here.
struct ServingSpeedOptions {
  std::vector<int64_t> clients = {1, 8, 32};
  int64_t prompt = 128;   // tokens of a request
  int64_t shared = 0;     // further tokens, with which every prompt begins
  int64_t generate = 64;  // tokens of an answer
  int64_t requests = 0;   // of each test; 0: three for each client, at least 8
  // Not empty: prompts ask for passages of this text, word for word, in the form of the model's chat template if it has
  // one, and answers are greedy and end where the model ends them.
  std::string repeat = {};
  engine::EngineOptions engine = {};
};

// What guesses brought to a test, which ran without them, too.
struct SpeculationTest {
  int64_t guessed_tokens = 0, accepted_tokens = 0;
  int64_t passes = 0, passes_without = 0;
  double tokens_per_second_without = 0.0;
  Samples between_tokens_without;  // ServingTest::between_tokens
  int64_t differing = 0;           // answers that are not those without
};

struct ServingTest {
  int64_t clients = 0, requests = 0;
  double seconds = 0.0;
  int64_t prompt_tokens = 0, computed_prompt_tokens = 0, generated_tokens = 0;
  Samples first_token,
      between_tokens;  // seconds, of each request: until the first token, on average after it
  std::optional<SpeculationTest> speculation = {};

  double tokens_per_second() const { return static_cast<double>(generated_tokens) / seconds; }
};

// One engine for each test, which remembers nothing of the one before. Tokens are random, answers as long as they were
// asked for, unless they repeat a text. invalid_argument for numbers below 1, for requests longer than the context, and for a text shorter than
// a prompt; errors of Engine::create. Throws `cancelled` as
// throw_if_interrupted.
Result<std::vector<ServingTest>> measure_serving_speed(
    const std::shared_ptr<const infer::LoadedModel>& loaded, const ServingSpeedOptions& options,
    Progress& progress);

}  // namespace quern::eval
