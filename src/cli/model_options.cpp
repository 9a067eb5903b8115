#include "cli/model_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "base/file.h"
#include "base/terminal.h"
#include "base/units.h"
#include "grammar/grammar_cache.h"
#include "infer/loaded_adapter.h"
#include "model/cache.h"
#include "store/store.h"

namespace quern::cli {

void add_cache_dtype(CLI::App& app, std::string& name) {
  app.add_option("--cache-dtype", name, "of keys and values: f32, f16, bf16 or q8_0 [f16; bf16 with bf16]")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}));
}

Result<void> set_cache_dtype(model::Decoder& model, const std::string& name) {
  const DType wanted = *dtype_from_name(name);
  QUERN_CHECK(model::check_cache_dtype(model.config(), wanted));
  model.set_cache_dtype(wanted);
  return {};
}

void ModelOptions::define(CommandLine& line) {
  line_ = &line;
  CLI::App& app = line.app();
  app.add_flag("-v,--verbose", verbose, "say how the model was opened and how it is sampled from");
  app.add_option("MODEL", model, "model folder, GGUF file, or a name in the store")->required();
  app.add_option("--adapter", adapter, "folder of an adapter, as PEFT and `quern train` write it");
  app.add_option("--dtype", dtype, "of activations: f32, bf16 or f16")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  add_cache_dtype(app, cache_dtype);
  app.add_flag("--no-pack", no_pack_, kNoPackHelp);
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
           {"--seed", "seed"},
           {"--no-repeat-ngram", "no_repeat_ngram"},
           {"--min-tokens", "min_tokens"}}) {
    line.config_flag(flag, key);
  }
  app.add_option("--stop", stop_, "text that ends the answer; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", completion.ignore_eos, "go on past the model's end token");
  CLI::Option_group* form = app.add_option_group("form", "what the answer must be");
  form->add_option("--json-schema", json_schema_, "an instance of this JSON schema, a file or its text");
  form->add_flag("--json-object", json_object_, "a JSON object");
  form->add_option("--regex", regex_, "a text that this regular expression matches");
  form->add_option("--grammar", grammar_file_, "a text of this grammar, a file of GBNF");
  form->require_option(0, 1);
}

void ModelOptions::fields(Fields& f) {
  f.add("context", context, "room for tokens; 0: as much as the model has").at_least(0);
  completion.fields(f);
}

// What was asked for of sampling, where the likeliest answers are searched for instead.
Result<void> ModelOptions::check_beams() const {
  if (completion.beams <= 1) return {};
  for (const char* key :
       {"temperature", "top_k", "top_p", "min_p", "typical_p", "presence_penalty", "frequency_penalty"}) {
    const Field* field = line_->fields().find(key);
    const bool greedy = field->key() == "temperature" && completion.sampling.temperature == 0;
    if (field->origin().empty() || greedy) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("beam search gives the likeliest answers: it takes no {}", key),
                      "leave it out, or say --beams 1 to sample");
  }
  return {};
}

Result<infer::LoadedModel> ModelOptions::open() {
  if (!stop_.empty()) completion.stop = stop_;
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(model));
  const auto start = std::chrono::steady_clock::now();
  QUERN_TRY(infer::LoadedModel loaded,
            infer::open_model(path, *dtype_from_name(dtype), !no_pack_, encoder_decoders));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!cache_dtype.empty()) QUERN_CHECK(set_cache_dtype(loaded.model, cache_dtype));
  if (!adapter.empty()) {
    QUERN_TRY(const auto opened, infer::open_adapter(adapter, loaded.model, adapter));
    loaded.model.set_adapter({opened, opened->weights.get()});
  }
  if (const int64_t positions = loaded.model.config().max_positions; context > positions) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("--context {} is more than the model has: {} positions", context, positions),
        "leave it out for all of them");
  }
  completion.end_tokens = loaded.end_tokens;
  Fields settings = fields_of(*this);
  QUERN_TRY(of_model_, infer::take_defaults(loaded.sampling, settings, line_->fields()));
  completion.rules.forced_first = loaded.sampling.forced_first;
  completion.rules.forced_last = loaded.sampling.forced_last;
  QUERN_CHECK(check_beams());
  QUERN_CHECK(constrain(loaded));
  if (verbose) terminal::print_line(describe(loaded, seconds.count()));
  return loaded;
}

Result<void> ModelOptions::constrain(const infer::LoadedModel& loaded) {
  using Kind = grammar::Constraint::Kind;
  std::optional<grammar::Constraint> constraint;
  if (json_object_) constraint = {Kind::json_object};
  if (!regex_.empty()) constraint = {Kind::regex, regex_};
  if (!grammar_file_.empty()) {
    QUERN_TRY(std::string text, read_file(grammar_file_, grammar::Limits().source_bytes));
    constraint = {Kind::gbnf, std::move(text)};
  }
  if (!json_schema_.empty()) {
    constraint = {Kind::json_schema, json_schema_};
    if (json_schema_.find('{') == std::string::npos) {
      QUERN_TRY(constraint->text, read_file(json_schema_, grammar::Limits().source_bytes));
    }
  }
  if (!constraint) return {};
  if (completion.beams > 1)
    return make_error(ErrorCode::invalid_argument, "beam search takes no constraint", "leave out --beams");
  QUERN_TRY(auto compiled, grammar::compile(*constraint));
  QUERN_TRY(auto vocabulary, infer::make_vocabulary(loaded.tokenizer, loaded.end_tokens));
  completion.constraint = std::make_shared<grammar::TokenMasks>(std::move(compiled), std::move(vocabulary));
  return {};
}

namespace {

// What a model holds in memory beside the program: copies of weights that products read fast, the rest of them as they lie in
// the mapped file, and keys and values of a full context.
std::string describe_memory(const model::Decoder& model, int64_t context) {
  int64_t packed = 0, in_file = 0;
  nn::visit(model, [&](const std::string&, const nn::Parameter& parameter) {
    const bool copied = parameter.strips().defined();
    (copied ? packed : in_file) += (copied ? parameter.strips() : parameter.value()).bytes();
  });
  const int64_t tokens = context > 0 ? context : model.config().max_positions;
  const nn::KvCacheSpec cache = model::cache_spec(
      model.config(), {.capacity = tokens, .chunk = model::kPromptChunk}, model.cache_dtype());
  const auto size = [](int64_t bytes) { return human_bytes(static_cast<uint64_t>(bytes)); };
  const std::string copies =
      packed == 0
          ? ""
          : fmt::format("{} of weights copied for fast products (not with --no-pack), ", size(packed));
  return fmt::format("memory: {}{} of weights as they lie in the file, {} of keys and values of {} tokens",
                     copies, size(in_file), size(cache.bytes()), tokens);
}

}  // namespace

std::string ModelOptions::describe(const infer::LoadedModel& loaded, double seconds) const {
  const infer::SamplingOptions& s = completion.sampling;
  std::vector<std::string> sampling, ends;
  const auto add = [&](std::string_view key, double value) {
    const bool own = std::ranges::find(of_model_, key) != of_model_.end();
    sampling.push_back(fmt::format("{} {:g}{}", key, value, own ? " (the model's)" : ""));
  };
  add("temperature", s.temperature);
  add("top_k", static_cast<double>(s.top_k));
  add("top_p", s.top_p);
  add("min_p", s.min_p);
  add("typical_p", s.typical_p);
  add("repetition_penalty", s.repetition_penalty);
  for (const int32_t id : loaded.end_tokens) {
    ends.push_back(fmt::format("{} ({})", loaded.tokenizer.id_to_token(id).value_or("?"), id));
  }
  return fmt::format(
      "opened in {:.0f} ms; {}, {} tokens of vocabulary, {} positions\n{}\nsampling: {}\nend tokens: {}",
      1e3 * seconds, loaded.model.config().family, loaded.tokenizer.vocab_size(),
      loaded.model.config().max_positions, describe_memory(loaded.model, context), fmt::join(sampling, ", "),
      fmt::join(ends, ", "));
}

nlohmann::ordered_json to_json(const infer::Completion& c) {
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (const infer::SampledToken& token : c.tokens)
    tokens.push_back({{"id", token.id}, {"logprob", token.logprob}});
  return {{"text", c.text},
          {"finish_reason", infer::name_of(c.finish)},
          {"unfinished", c.unfinished},
          {"prompt_tokens", c.prompt_tokens},
          {"cached_tokens", c.cached_tokens},
          {"prompt_seconds", c.prompt_seconds},
          {"generate_seconds", c.generate_seconds},
          {"tokens", tokens}};
}

nlohmann::ordered_json to_json(const infer::BeamCompletions& c) {
  nlohmann::ordered_json answers = nlohmann::ordered_json::array();
  for (const infer::BeamCompletion& answer : c.answers) {
    answers.push_back({{"text", answer.text},
                       {"score", answer.beam.score},
                       {"finish_reason", infer::name_of(answer.finish)},
                       {"tokens", answer.beam.tokens}});
  }
  return {{"answers", answers},
          {"prompt_tokens", c.prompt_tokens},
          {"prompt_seconds", c.prompt_seconds},
          {"generate_seconds", c.generate_seconds}};
}

std::string describe_speed(const infer::Completion& c) {
  const int64_t computed = std::max<int64_t>(c.prompt_tokens - c.cached_tokens, 1);
  return fmt::format("{} tokens, {:.1f} tok/s; prompt {} tokens{}, {:.1f} tok/s; {}", c.tokens.size(),
                     static_cast<double>(c.tokens.size()) / std::max(c.generate_seconds, 1e-9),
                     c.prompt_tokens, c.cached_tokens > 0 ? fmt::format(" ({} known)", c.cached_tokens) : "",
                     static_cast<double>(computed) / std::max(c.prompt_seconds, 1e-9),
                     c.unfinished ? "cut before it had the form asked for" : infer::name_of(c.finish));
}

}  // namespace quern::cli
