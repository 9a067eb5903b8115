#include "infer/language.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/json.h"
#include "formats/gguf/archive.h"
#include "formats/hf_folder.h"
#include "infer/gguf_tokenizer.h"
#include "infer/template_probe.h"

namespace quern::infer {

namespace {

// An id, or a list of ids; others are left out.
void add_ids(const nlohmann::json& config, std::vector<int32_t>& ids) {
  const nlohmann::json value = config.value("eos_token_id", nlohmann::json());
  for (const nlohmann::json& id : value.is_array() ? value : nlohmann::json::array({value})) {
    if (id.is_number_integer() && id >= 0 && id <= INT32_MAX) ids.push_back(id.get<int32_t>());
  }
}

template <class T>
void take_number(const nlohmann::json& config, const char* key, std::optional<T>& value) {
  if (const auto found = config.find(key); found != config.end() && found->is_number())
    value = found->get<T>();
}

// What generation_config.json, or config.json as it was before, says about encoder-decoders: lengths count the token that
// answers begin with, and nobody samples unless told to.
void take_search(const nlohmann::json& config, SamplingDefaults& defaults) {
  const auto token = [&](const char* key, int32_t& id) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_number_integer() && *found >= 0 && *found <= INT32_MAX)
      id = found->get<int32_t>();
  };
  const bool samples = config.value("do_sample", nlohmann::json(false)) == true;
  if (!samples) {
    defaults.temperature = 0.0;
    take_number(config, "num_beams", defaults.beams);
  }
  take_number(config, "length_penalty", defaults.length_penalty);
  take_number(config, "no_repeat_ngram_size", defaults.no_repeat_ngram);
  take_number(config, "max_length", defaults.max_tokens);
  take_number(config, "min_length", defaults.min_tokens);
  for (std::optional<int64_t>* length : {&defaults.max_tokens, &defaults.min_tokens}) {
    if (*length) *length = std::max<int64_t>(**length - 1, length == &defaults.max_tokens ? 1 : 0);
  }
  take_number(config, "max_new_tokens", defaults.max_tokens);
  take_number(config, "min_new_tokens", defaults.min_tokens);
  const nlohmann::json stopping = config.value("early_stopping", nlohmann::json());
  if (stopping.is_boolean()) defaults.early_stopping = stopping.get<bool>() ? "yes" : "no";
  if (stopping == "never") defaults.early_stopping = "never";
  token("forced_bos_token_id", defaults.forced_first);
  token("forced_eos_token_id", defaults.forced_last);
}

// With "do_sample": false, the numbers are there but nobody reads them.
SamplingDefaults sampling_of(const nlohmann::json& config) {
  SamplingDefaults sampling;
  take_number(config, "repetition_penalty", sampling.repetition_penalty);
  if (config.value("do_sample", nlohmann::json(true)) == false) return sampling;
  take_number(config, "temperature", sampling.temperature);
  take_number(config, "top_p", sampling.top_p);
  take_number(config, "top_k", sampling.top_k);
  take_number(config, "min_p", sampling.min_p);
  take_number(config, "typical_p", sampling.typical_p);
  return sampling;
}

Result<Language> read_folder(const std::filesystem::path& path) {
  QUERN_TRY(const formats::ModelFolder folder, formats::ModelFolder::open(path));
  QUERN_TRY(text::Tokenizer tokenizer, text::Tokenizer::load(folder.path()));
  QUERN_TRY(text::ChatTemplates templates, text::ChatTemplates::load(folder.path()));
  Language language{.tokenizer = std::move(tokenizer), .templates = std::move(templates)};
  QUERN_TRY(const nlohmann::json config, read_json_file(folder.config()));
  const bool answers =
      config.is_object() && config.value("is_encoder_decoder", nlohmann::json(false)) == true;
  if (config.is_object()) add_ids(config, language.listed_ends);
  if (answers) take_search(config, language.sampling);
  if (const auto file = folder.generation_config()) {
    QUERN_TRY(const nlohmann::json generation, read_json_file(*file));
    if (generation.is_object()) {
      add_ids(generation, language.listed_ends);
      language.sampling = sampling_of(generation);
      if (answers) take_search(generation, language.sampling);
    }
  }
  return language;
}

Result<Language> read_gguf_language(const formats::GgufMetadata& metadata) {
  QUERN_TRY(const text::GgufVocabulary vocabulary, gguf_vocabulary(metadata));
  QUERN_TRY(text::Tokenizer tokenizer, text::make_tokenizer(vocabulary));
  QUERN_TRY(text::ChatTemplates templates, gguf_templates(metadata, tokenizer));
  Language language{.tokenizer = std::move(tokenizer), .templates = std::move(templates)};
  QUERN_TRY(language.listed_ends, gguf_end_tokens(metadata));
  QUERN_TRY(language.sampling, gguf_sampling(metadata));
  // As of folders: nobody samples from encoder-decoders unless told to.
  QUERN_TRY(const auto architecture, metadata.get_or<std::string>("general.architecture", ""));
  if (architecture == "t5" && !language.sampling.temperature) language.sampling.temperature = 0.0;
  if (adds_bos(language.tokenizer)) language.chat_bos = language.tokenizer.special_ids().bos;
  return language;
}

// The token that closes the assistant's turn ends an answer, whatever the files say. Templates that refuse
// the probe teach nothing; the audit names them.
void learn_from_template(Language& language) {
  language.end_tokens = language.listed_ends;
  if (const auto eos = language.tokenizer.special_ids().eos) language.end_tokens.push_back(*eos);
  if (!language.templates.empty()) {
    if (const auto probe = probe_template(language.templates, language.tokenizer); probe.ok()) {
      if (probe->turn_end) language.end_tokens.push_back(*probe->turn_end);
      if (probe->begins_with_bos) language.chat_bos.reset();
    }
  }
  std::vector<int32_t>& ends = language.end_tokens;
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

}  // namespace

Result<Language> open_language(const std::filesystem::path& path) {
  const auto read = [&]() -> Result<Language> {
    if (!formats::is_gguf(path)) return read_folder(path);
    QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
    auto language = read_gguf_language(archive.metadata());
    if (!language.ok()) return std::move(language).error().within(path.string());
    return language;
  };
  QUERN_TRY(Language language, read());
  learn_from_template(language);
  return language;
}

Result<void> use_template(Language& language, std::string_view source) {
  text::ChatTemplates templates;
  for (const auto& [name, token] : language.templates.special_tokens())
    templates.set_special_token(name, token);
  QUERN_CHECK(templates.add("default", source));
  language.templates = std::move(templates);
  if (adds_bos(language.tokenizer)) language.chat_bos = language.tokenizer.special_ids().bos;
  learn_from_template(language);
  return {};
}

bool adds_bos(const text::Tokenizer& tokenizer) {
  const auto bos = tokenizer.special_ids().bos;
  const std::vector<int32_t> around = tokenizer.encode("");
  return bos && std::ranges::find(around, *bos) != around.end();
}

std::vector<int32_t> encode_chat(const Language& language, const text::ChatPrompt& prompt) {
  std::vector<int32_t> tokens;
  if (language.chat_bos) tokens.push_back(*language.chat_bos);
  language.tokenizer.encode(prompt.text, tokens, {.add_special_tokens = false, .plain = prompt.typed});
  return tokens;
}

}  // namespace quern::infer
