#include "cli/model_options.h"

#include <fmt/format.h>

namespace quern::cli {

void ModelOptions::define(CommandLine& line) {
  CLI::App& app = line.app();
  infer::SamplingOptions& s = completion.sampling;
  app.add_option("MODEL", model, "model folder")->required();
  app.add_option("--dtype", dtype, "of activations: f32, bf16 or f16")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  app.add_option("--context", context, "room for tokens; 0: as much as the model has")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-n,--max-tokens", completion.max_tokens, "longest answer, in tokens")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("-t,--temperature", s.temperature, "spread of the choice; 0: always the likeliest token")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-k", s.top_k, "choose among the k likeliest tokens; 0: all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-p", s.top_p, "choose among the fewest tokens with this total probability")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--min-p", s.min_p, "drop tokens below this share of the likeliest one's probability")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--typical-p", s.typical_p, "choose among the most typical tokens with this total")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--repetition-penalty", s.repetition_penalty, "above 1 discourages tokens seen before")
      ->check(CLI::Range(0.01, 100.0));
  app.add_option("--presence-penalty", s.presence_penalty, "subtracted from tokens generated before")
      ->check(CLI::Range(-10.0, 10.0));
  app.add_option("--frequency-penalty", s.frequency_penalty, "subtracted for each time a token was generated")
      ->check(CLI::Range(-10.0, 10.0));
  app.add_option("--seed", s.seed, "same seed, same text")->capture_default_str();
  app.add_option("--stop", completion.stop, "text that ends the answer; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", completion.ignore_eos, "go on past the model's end token");
}

Result<infer::LoadedModel> ModelOptions::open() const {
  return infer::open_model(model, *dtype_from_name(dtype));
}

nlohmann::ordered_json to_json(const infer::Completion& c) {
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (const infer::SampledToken& token : c.tokens)
    tokens.push_back({{"id", token.id}, {"logprob", token.logprob}});
  return {{"text", c.text},
          {"finish_reason", infer::name_of(c.finish)},
          {"prompt_tokens", c.prompt_tokens},
          {"prompt_seconds", c.prompt_seconds},
          {"generate_seconds", c.generate_seconds},
          {"tokens", tokens}};
}

std::string describe_speed(const infer::Completion& c) {
  return fmt::format("{} tokens, {:.1f} tok/s; prompt {} tokens, {:.1f} tok/s; {}", c.tokens.size(),
                     static_cast<double>(c.tokens.size()) / std::max(c.generate_seconds, 1e-9),
                     c.prompt_tokens, static_cast<double>(c.prompt_tokens) / std::max(c.prompt_seconds, 1e-9),
                     infer::name_of(c.finish));
}

}  // namespace quern::cli
