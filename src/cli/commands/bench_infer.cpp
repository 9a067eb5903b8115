// quern bench infer
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/text_table.h"
#include "base/threads.h"
#include "base/units.h"
#include "cli/model_options.h"
#include "cli/named_model.h"
#include "eval/inference_speed.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  NamedModel model;
  std::string cache_dtype;  // empty: model::default_cache_dtype
  eval::InferenceSpeedOptions options;
};

Json to_json(const eval::Samples& samples) {
  return {{"median", samples.median()},
          {"min", samples.min()},
          {"max", samples.max()},
          {"samples", samples.values}};
}

Json to_json(const Arguments& arguments, const eval::InferenceSpeed& speed) {
  Json tests = Json::array();
  for (const eval::SpeedTest& test : speed.tests) {
    Json row = {{"test", test.name()},
                {"n_prompt", test.prompt},
                {"n_gen", test.generate},
                {"n_depth", test.depth},
                {"tokens_per_second", to_json(test.tokens_per_second)}};
    if (test.prompt > 0) row["seconds"] = static_cast<double>(test.prompt) / test.tokens_per_second.median();
    if (test.generate > 0) {
      row["bytes_per_token"] = test.bytes_per_token;
      row["share_of_read_bandwidth"] = speed.bandwidth_share(test);
    }
    tests.push_back(std::move(row));
  }
  return {{"model", arguments.model.name},
          {"threads", num_threads()},
          {"parameters", speed.parameters},
          {"weight_bytes", speed.weight_bytes},
          {"packed_bytes", speed.packed_bytes},
          {"cache_bytes_per_token", speed.cache_bytes_per_token},
          {"peak_bytes", speed.peak_bytes},
          {"load_seconds", speed.load_seconds},
          {"first_token_seconds", speed.first_token_seconds},
          {"tests", tests},
          {"read_bandwidth", to_json(speed.read_bandwidth)},
          {"reread_bandwidth", to_json(speed.reread_bandwidth)}};
}

std::string gigabytes(const eval::Samples& samples) {
  return fmt::format("{:.1f} GB/s ({:.1f} to {:.1f})", samples.median() / 1e9, samples.min() / 1e9,
                     samples.max() / 1e9);
}

std::string to_text(const eval::InferenceSpeed& speed) {
  TextTable about({"", ""});
  about.add({"parameters", human_count(static_cast<double>(speed.parameters))});
  about.add({"weights", human_bytes(static_cast<uint64_t>(speed.weight_bytes))});
  if (speed.packed_bytes > 0)
    about.add({"packed copies", human_bytes(static_cast<uint64_t>(speed.packed_bytes))});
  about.add({"cache", human_bytes(static_cast<uint64_t>(speed.cache_bytes_per_token)) + " per token"});
  about.add({"peak memory", human_bytes(speed.peak_bytes)});
  about.add({"load", human_duration(speed.load_seconds)});
  about.add({"load to first token", human_duration(speed.first_token_seconds)});
  about.add({"threads", std::to_string(num_threads())});
  about.add({"reading memory", gigabytes(speed.read_bandwidth)});
  about.add({"reading the weights' bytes again", gigabytes(speed.reread_bandwidth)});

  TextTable tests(
      {"test", ">tokens/s", ">least", ">most", ">first token", ">bytes/token", ">of read bandwidth"});
  for (const eval::SpeedTest& test : speed.tests) {
    const eval::Samples& rate = test.tokens_per_second;
    const bool prompt = test.prompt > 0;
    tests.add({test.name(), fmt::format("{:.2f}", rate.median()), fmt::format("{:.2f}", rate.min()),
               fmt::format("{:.2f}", rate.max()),
               prompt ? human_duration(static_cast<double>(test.prompt) / rate.median()) : "",
               prompt ? "" : human_bytes(static_cast<uint64_t>(test.bytes_per_token)),
               prompt ? "" : fmt::format("{:.1f} %", 100.0 * speed.bandwidth_share(test))});
  }
  return fmt::format("{}\n{}", about.to_string(0), tests.to_string(0));
}

Result<infer::LoadedModel> open(const Arguments& arguments) {
  QUERN_TRY(infer::LoadedModel loaded, arguments.model.open());
  if (!arguments.cache_dtype.empty()) QUERN_CHECK(set_cache_dtype(loaded.model, arguments.cache_dtype));
  return loaded;
}

Result<void> run(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(
      const eval::InferenceSpeed speed,
      eval::measure_inference_speed([&] { return open(arguments); }, arguments.options, *context.progress));
  context.print(context.json ? to_json(arguments, speed).dump(2) + "\n" : to_text(speed));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  eval::InferenceSpeedOptions& options = arguments->options;
  arguments->model.define(line);
  CLI::App& app = line.app();
  add_cache_dtype(app, arguments->cache_dtype);
  app.add_option("-p,--prompt", options.prompts, "tokens of a prompt; several with commas, 0: none")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("-n,--generate", options.generate, "tokens to generate; several with commas, 0: none")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("-d,--depth", options.depths, "tokens that stand before; several with commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("-r,--repeat", options.repeat, "measurements of each test")->capture_default_str();
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command bench_infer_command() {
  return {
      .name = "infer",
      .group = Group::inspect,
      .summary = "prompts, decoding and loading of a model, against the memory bandwidth of this machine",
      .details =
          "The tests are those of llama-bench: pp512 is a prompt of 512 tokens, tg128 are 128 tokens one by\n"
          "one, '@ d1024' behind 1,024 others. Rates are medians, beside the least and the most. Decoding\n"
          "reads every weight once per token: its share of the read bandwidth, which is measured between\n"
          "the tests, says how near it is to the limit; a model that fits in the last cache may pass it.",
      .examples =
          "quern bench infer runs/demo/model -p 64 -n 32\n"
          "quern bench infer model-q4_k_m.gguf -p 512 -n 128 -d 0,4096 --threads 2 --json",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
