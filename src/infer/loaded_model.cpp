#include "infer/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "formats/gguf/archive.h"
#include "formats/hf_folder.h"
#include "infer/gguf_tokenizer.h"
#include "infer/template_probe.h"

namespace quern::infer {

namespace {

// All that is not weights.
struct Language {
  text::Tokenizer tokenizer;
  text::ChatTemplates templates;
  std::vector<int32_t> end_tokens;
  SamplingDefaults sampling = {};
};

// An id, or a list of ids; others are left out.
void add_ids(const nlohmann::json& value, std::vector<int32_t>& ids) {
  for (const nlohmann::json& id : value.is_array() ? value : nlohmann::json::array({value})) {
    if (id.is_number_integer() && id >= 0 && id <= INT32_MAX) ids.push_back(id.get<int32_t>());
  }
}

template <class T>
void take_number(const nlohmann::json& config, const char* key, std::optional<T>& value) {
  if (const auto found = config.find(key); found != config.end() && found->is_number())
    value = found->get<T>();
}

// Greedy models ("do_sample": false) keep numbers that nobody reads.
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

Result<Language> read_folder(const formats::ModelFolder& folder) {
  QUERN_TRY(text::Tokenizer tokenizer, text::Tokenizer::load(folder.path()));
  QUERN_TRY(text::ChatTemplates templates, text::ChatTemplates::load(folder.path()));
  Language language{std::move(tokenizer), std::move(templates), {}};
  if (const auto file = folder.generation_config()) {
    QUERN_TRY(const nlohmann::json config, read_json_file(*file));
    if (config.is_object()) {
      add_ids(config.value("eos_token_id", nlohmann::json()), language.end_tokens);
      language.sampling = sampling_of(config);
    }
  }
  return language;
}

Result<Language> read_gguf(const std::filesystem::path& path) {
  QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
  const auto parse = [&]() -> Result<Language> {
    QUERN_TRY(const text::GgufVocabulary vocabulary, gguf_vocabulary(archive.metadata()));
    QUERN_TRY(text::Tokenizer tokenizer, text::make_tokenizer(vocabulary));
    QUERN_TRY(text::ChatTemplates templates, gguf_templates(archive.metadata(), tokenizer));
    QUERN_TRY(std::vector<int32_t> end_tokens, gguf_end_tokens(archive.metadata()));
    return Language{std::move(tokenizer), std::move(templates), std::move(end_tokens)};
  };
  auto language = parse();
  if (!language.ok()) return std::move(language).error().within(path.string());
  return language;
}

Result<LoadedModel> join(model::Decoder model, Language language, const std::filesystem::path& path) {
  const int64_t known = model.config().vocab_size;
  if (language.tokenizer.vocab_size() > known) {
    return make_error(ErrorCode::conflict,
                      fmt::format("{}: the tokenizer has {} tokens, but the model knows {}", path.string(),
                                  language.tokenizer.vocab_size(), known),
                      "the folder mixes files of two models");
  }
  LoadedModel loaded{.model = std::move(model),
                     .tokenizer = std::move(language.tokenizer),
                     .templates = std::move(language.templates),
                     .end_tokens = std::move(language.end_tokens),
                     .sampling = language.sampling};
  std::vector<int32_t>& ends = loaded.end_tokens;
  for (const int64_t id : loaded.model.config().eos_tokens) ends.push_back(static_cast<int32_t>(id));
  if (const auto eos = loaded.tokenizer.special_ids().eos) ends.push_back(*eos);
  return loaded;
}

// The token that closes the assistant's turn ends an answer, whatever the files say.
void learn_from_template(LoadedModel& loaded) {
  if (loaded.templates.empty()) return;
  const auto probe = probe_template(loaded.templates, loaded.tokenizer);
  if (!probe.ok()) return;  // some templates need more than a question; the audit says so
  if (probe->turn_end) loaded.end_tokens.push_back(*probe->turn_end);
  if (probe->begins_with_bos) loaded.chat_bos.reset();
}

bool adds_bos(const text::Tokenizer& tokenizer) {
  const auto bos = tokenizer.special_ids().bos;
  const std::vector<int32_t> around = tokenizer.encode("");
  return bos && std::ranges::find(around, *bos) != around.end();
}

void make_unique(std::vector<int32_t>& ids, int64_t known) {
  std::erase_if(ids, [&](int32_t id) { return id < 0 || id >= known; });
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
}

}  // namespace

Result<LoadedModel> open_model(const std::filesystem::path& path, DType compute_dtype) {
  const bool is_gguf = path.extension() == formats::kGgufExtension;
  const model::LoadOptions options = {.compute_dtype = compute_dtype};
  const auto open = [&]() -> Result<LoadedModel> {
    if (is_gguf) {
      QUERN_TRY(model::Decoder model, model::load_model(path, options));
      QUERN_TRY(Language language, read_gguf(path));
      return join(std::move(model), std::move(language), path);
    }
    QUERN_TRY(const formats::ModelFolder folder, formats::ModelFolder::open(path));
    QUERN_TRY(model::Decoder model, model::load_model(folder.path(), options));
    QUERN_TRY(Language language, read_folder(folder));
    return join(std::move(model), std::move(language), path);
  };
  QUERN_TRY(LoadedModel loaded, open());
  if (is_gguf && adds_bos(loaded.tokenizer)) loaded.chat_bos = loaded.tokenizer.special_ids().bos;
  learn_from_template(loaded);
  make_unique(loaded.end_tokens, loaded.model.config().vocab_size);
  return loaded;
}

Result<void> use_template(LoadedModel& loaded, std::string_view source) {
  text::ChatTemplates templates;
  for (const auto& [name, token] : loaded.templates.special_tokens())
    templates.set_special_token(name, token);
  QUERN_CHECK(templates.add("default", source));
  loaded.templates = std::move(templates);
  if (adds_bos(loaded.tokenizer)) loaded.chat_bos = loaded.tokenizer.special_ids().bos;
  learn_from_template(loaded);
  make_unique(loaded.end_tokens, loaded.model.config().vocab_size);
  return {};
}

std::vector<int32_t> encode_chat(const LoadedModel& loaded, const text::ChatPrompt& prompt) {
  std::vector<int32_t> tokens;
  if (loaded.chat_bos) tokens.push_back(*loaded.chat_bos);
  loaded.tokenizer.encode(prompt.text, tokens, {.add_special_tokens = false, .plain = prompt.typed});
  return tokens;
}

}  // namespace quern::infer
