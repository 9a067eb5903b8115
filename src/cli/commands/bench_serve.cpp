// quern bench serve
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text_table.h"
#include "base/threads.h"
#include "base/units.h"
#include "cli/model_options.h"
#include "cli/named_model.h"
#include "cli/speculation_flags.h"
#include "eval/serving_speed.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  NamedModel model;
  std::string cache_dtype;  // empty: model::default_cache_dtype
  eval::ServingSpeedOptions options;
  SpeculationFlags speculation;
  std::string repeat;  // a file of text
};

Json to_json(const eval::Samples& samples) {
  return {{"median", samples.median()}, {"min", samples.min()}, {"max", samples.max()}};
}

Json to_json(const Arguments& arguments, const std::vector<eval::ServingTest>& tests) {
  Json rows = Json::array();
  for (const eval::ServingTest& test : tests) {
    rows.push_back({{"clients", test.clients},
                    {"requests", test.requests},
                    {"seconds", test.seconds},
                    {"prompt_tokens", test.prompt_tokens},
                    {"computed_prompt_tokens", test.computed_prompt_tokens},
                    {"generated_tokens", test.generated_tokens},
                    {"tokens_per_second", test.tokens_per_second()},
                    {"first_token_seconds", to_json(test.first_token)},
                    {"between_tokens_seconds", to_json(test.between_tokens)}});
    if (!test.speculation) continue;
    rows.back()["speculation"] = {
        {"guessed_tokens", test.speculation->guessed_tokens},
        {"accepted_tokens", test.speculation->accepted_tokens},
        {"passes", test.speculation->passes},
        {"passes_without", test.speculation->passes_without},
        {"tokens_per_second_without", test.speculation->tokens_per_second_without},
        {"between_tokens_seconds_without", to_json(test.speculation->between_tokens_without)},
        {"answers_that_differ", test.speculation->differing}};
  }
  return {{"model", arguments.model.name}, {"threads", num_threads()}, {"tests", rows}};
}

std::string to_text(const std::vector<eval::ServingTest>& tests) {
  TextTable table({">clients", ">requests", ">generated tokens/s", ">of the first", ">first token", ">most",
                   ">between tokens", ">prompts", ">of them computed"});
  for (const eval::ServingTest& test : tests) {
    table.add({std::to_string(test.clients), std::to_string(test.requests),
               fmt::format("{:.1f}", test.tokens_per_second()),
               fmt::format("{:.2f}x", test.tokens_per_second() / tests.front().tokens_per_second()),
               human_duration(test.first_token.median()), human_duration(test.first_token.max()),
               human_duration(test.between_tokens.median()), fmt::format("{} tokens", test.prompt_tokens),
               fmt::format("{:.0f} %", 100.0 * static_cast<double>(test.computed_prompt_tokens) /
                                           static_cast<double>(test.prompt_tokens))});
  }
  return table.to_string(0);
}

std::string to_text(const eval::ServingTest& test, const eval::SpeculationTest& speculation) {
  return fmt::format(
      "{} clients with guesses: {:.2f}x of {:.1f} tokens/s without, {:.2f}x between tokens; {} of {} guesses "
      "were right; "
      "{} passes, {} without; {} of {} answers differ\n",
      test.clients, test.tokens_per_second() / speculation.tokens_per_second_without,
      speculation.tokens_per_second_without,
      speculation.between_tokens_without.median() / test.between_tokens.median(), speculation.accepted_tokens,
      speculation.guessed_tokens, speculation.passes, speculation.passes_without, speculation.differing,
      test.requests);
}

Result<void> run(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(infer::LoadedModel opened, arguments.model.open());
  if (!arguments.cache_dtype.empty()) QUERN_CHECK(set_cache_dtype(opened.model, arguments.cache_dtype));
  const auto loaded = std::make_shared<const infer::LoadedModel>(std::move(opened));
  eval::ServingSpeedOptions options = arguments.options;
  if (!arguments.repeat.empty()) {
    QUERN_TRY(options.repeat, read_file(arguments.repeat));
  }
  QUERN_TRY(options.engine.speculation,
            arguments.speculation.open(arguments.model.dtype, !arguments.model.no_pack));
  QUERN_TRY(const auto tests, eval::measure_serving_speed(loaded, options, *context.progress));
  if (context.json) {
    context.print(to_json(arguments, tests).dump(2) + "\n");
    return {};
  }
  std::string text = to_text(tests);
  for (const eval::ServingTest& test : tests) {
    if (test.speculation) text += to_text(test, *test.speculation);
  }
  context.print(text);
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  eval::ServingSpeedOptions& options = arguments->options;
  arguments->model.define(line);
  CLI::App& app = line.app();
  add_cache_dtype(app, arguments->cache_dtype);
  app.add_option("-c,--clients", options.clients, "clients that ask at a time; several with commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("-p,--prompt", options.prompt, "tokens of a request, on average")->capture_default_str();
  app.add_option("--shared", options.shared, "further tokens, with which every prompt begins")
      ->capture_default_str();
  app.add_option("-n,--generate", options.generate, "tokens of an answer, on average")->capture_default_str();
  app.add_option("-r,--requests", options.requests, "of each test; 0: three for each client, at least 8")
      ->capture_default_str();
  app.add_option("--repeat", arguments->repeat,
                 "file of text, of which clients ask for passages word for word; in place of random tokens");
  arguments->speculation.define(app);
  app.add_option("--context", options.engine.context, "tokens of one sequence at most; 0: the model's");
  app.add_option("--cache-tokens", options.engine.cache_tokens, "tokens of the cache; 0: a few contexts");
  app.add_option("--pass-tokens", options.engine.limits.tokens, "tokens of one forward pass")
      ->capture_default_str();
  app.add_option("--sequences", options.engine.limits.sequences, "requests that are answered at a time")
      ->capture_default_str();
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command bench_serve_command() {
  return {
      .name = "serve",
      .group = Group::inspect,
      .summary = "many requests at once on one engine: tokens per second, and how long each waits",
      .details =
          "Clients ask again as soon as they are answered. Prompts are random tokens; lengths of prompts "
          "and\n"
          "answers are drawn from a half to one and a half of what is asked for. With one client "
          "requests are\n"
          "answered one at a time: what more of them gain is the worth of continuous batching.\n"
          "With --speculate or --draft each test runs with guesses and without, and answers are compared.",
      .examples =
          "quern bench serve runs/demo/model -c 1,8 -p 32 -n 16\n"
          "quern bench serve model-q4_k_m.gguf -c 64 --shared 1000 -p 50 -n 20\n"
          "quern bench serve model-q4_k_m.gguf -c 1,8 --speculate ngram --repeat README.md",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
