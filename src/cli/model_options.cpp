#include "cli/model_options.h"

#include <fmt/format.h>

#include "store/store.h"

namespace quern::cli {

void ModelOptions::define(CommandLine& line) {
  CLI::App& app = line.app();
  app.add_option("MODEL", model, "model folder, GGUF file, or a name in the store")->required();
  app.add_option("--dtype", dtype, "of activations: f32, bf16 or f16")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  line.config(*this);
  for (const auto& [flag, key] : std::initializer_list<std::pair<const char*, const char*>>{
           {"--context", "context"},
           {"-n,--max-tokens", "max_tokens"},
           {"-t,--temperature", "temperature"},
           {"--top-k", "top_k"},
           {"--top-p", "top_p"},
           {"--min-p", "min_p"},
           {"--typical,--typical-p", "typical_p"},
           {"--repetition-penalty", "repetition_penalty"},
           {"--presence-penalty", "presence_penalty"},
           {"--frequency-penalty", "frequency_penalty"},
           {"--seed", "seed"}}) {
    line.config_flag(flag, key);
  }
  app.add_option("--stop", stop_, "text that ends the answer; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", completion.ignore_eos, "go on past the model's end token");
}

void ModelOptions::fields(Fields& f) {
  f.add("context", context, "room for tokens; 0: as much as the model has").at_least(0);
  completion.fields(f);
}

Result<infer::LoadedModel> ModelOptions::open() {
  if (!stop_.empty()) completion.stop = stop_;
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(model));
  QUERN_TRY(infer::LoadedModel loaded, infer::open_model(path, *dtype_from_name(dtype)));
  completion.end_tokens = loaded.end_tokens;
  return loaded;
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
