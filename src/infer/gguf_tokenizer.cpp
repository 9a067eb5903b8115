#include "infer/gguf_tokenizer.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

namespace quern::infer {

namespace {

using formats::GgufMetadata;

constexpr std::string_view kPrefix = "tokenizer.ggml.";
constexpr std::string_view kTemplate = "tokenizer.chat_template";

template <class T>
Result<void> read(const GgufMetadata& metadata, std::string_view name, T& value) {
  QUERN_TRY(value, metadata.get_or<T>(fmt::format("{}{}", kPrefix, name), value));
  return {};
}

Result<void> read(const GgufMetadata& metadata, std::string_view name, std::optional<bool>& value) {
  const std::string key = fmt::format("{}{}", kPrefix, name);
  if (metadata.find(key) == nullptr) return {};
  QUERN_TRY(value, metadata.get<bool>(key));
  return {};
}

// Ids are checked against the vocabulary by make_tokenizer.
Result<void> read_id(const GgufMetadata& metadata, std::string_view name, std::optional<int32_t>& id) {
  const std::string key = fmt::format("{}{}_token_id", kPrefix, name);
  if (metadata.find(key) == nullptr) return {};
  QUERN_TRY(const int64_t value, metadata.get<int64_t>(key));
  if (value == -1 || value == UINT32_MAX) return {};  // some writers' word for "none"
  if (value < 0 || value > INT32_MAX) {
    return make_error(ErrorCode::corrupt, fmt::format("gguf: {} is {}, expected a token", key, value));
  }
  id = static_cast<int32_t>(value);
  return {};
}

template <class T>
Result<void> read_list(const GgufMetadata& metadata, std::string_view name, std::vector<T>& values) {
  const std::string key = fmt::format("{}{}", kPrefix, name);
  const formats::GgufValue* const found = metadata.find(key);
  if (found == nullptr) return {};
  const auto* const array = std::get_if<formats::GgufArray>(found);
  if (const auto* const exact = array ? std::get_if<std::vector<T>>(array) : nullptr) {
    values = *exact;
    return {};
  }
  return make_error(ErrorCode::corrupt, fmt::format("gguf: {} is {}, expected another type of array", key,
                                                    formats::describe(*found)));
}

}  // namespace

Result<text::GgufVocabulary> gguf_vocabulary(const GgufMetadata& metadata) {
  text::GgufVocabulary result;
  QUERN_CHECK(read(metadata, "model", result.model));
  QUERN_CHECK(read(metadata, "pre", result.pre));
  QUERN_CHECK(read_list(metadata, "tokens", result.tokens));
  if (result.tokens.empty()) {
    return make_error(ErrorCode::not_found, "gguf: the file has no vocabulary (tokenizer.ggml.tokens)",
                      "a model file has one; this may be a projector or an adapter");
  }
  QUERN_CHECK(read_list(metadata, "scores", result.scores));
  QUERN_CHECK(read_list(metadata, "token_type", result.types));
  QUERN_CHECK(read_list(metadata, "merges", result.merges));
  QUERN_CHECK(read_id(metadata, "bos", result.bos));
  QUERN_CHECK(read_id(metadata, "eos", result.eos));
  QUERN_CHECK(read_id(metadata, "unknown", result.unk));
  QUERN_CHECK(read_id(metadata, "seperator", result.sep));  // the spelling of the specification
  QUERN_CHECK(read_id(metadata, "padding", result.pad));
  QUERN_CHECK(read_id(metadata, "cls", result.cls));
  QUERN_CHECK(read_id(metadata, "mask", result.mask));
  QUERN_CHECK(read(metadata, "add_bos_token", result.add_bos));
  QUERN_CHECK(read(metadata, "add_eos_token", result.add_eos));
  QUERN_CHECK(read(metadata, "add_sep_token", result.add_sep));
  QUERN_CHECK(read(metadata, "add_space_prefix", result.add_space_prefix));
  QUERN_CHECK(read(metadata, "remove_extra_whitespaces", result.remove_extra_whitespaces));
  QUERN_CHECK(read(metadata, "normalizer.lowercase", result.lowercase));
  QUERN_CHECK(read(metadata, "normalizer.strip_accents", result.strip_accents));
  std::vector<uint8_t> charsmap;
  QUERN_CHECK(read_list(metadata, "precompiled_charsmap", charsmap));
  result.precompiled_charsmap.assign(charsmap.begin(), charsmap.end());
  QUERN_TRY(result.chat_template, metadata.get_or<std::string>(kTemplate, ""));
  QUERN_TRY(result.controls, gguf_end_tokens(metadata));
  return result;
}

Result<text::ChatTemplates> gguf_templates(const GgufMetadata& metadata, const text::Tokenizer& tokenizer) {
  text::ChatTemplates templates;
  for (const auto& [key, value] : metadata.entries()) {
    if (!std::string_view(key).starts_with(kTemplate)) continue;
    const auto* const source = std::get_if<std::string>(&value);
    const std::string_view rest = std::string_view(key).substr(kTemplate.size());
    if (source == nullptr || !(rest.empty() || rest.starts_with('.'))) continue;
    QUERN_CHECK(templates.add(rest.empty() ? "default" : std::string(rest.substr(1)), *source));
  }
  for (const auto& [role, name] :
       std::initializer_list<std::pair<const char*, const char*>>{{"bos", "bos_token"},
                                                                  {"eos", "eos_token"},
                                                                  {"unknown", "unk_token"},
                                                                  {"padding", "pad_token"},
                                                                  {"seperator", "sep_token"},
                                                                  {"cls", "cls_token"},
                                                                  {"mask", "mask_token"}}) {
    std::optional<int32_t> id;
    QUERN_CHECK(read_id(metadata, role, id));
    const auto token = id ? tokenizer.id_to_token(*id) : std::nullopt;
    if (token) templates.set_special_token(name, *token);
  }
  return templates;
}

Result<SamplingDefaults> gguf_sampling(const GgufMetadata& metadata) {
  SamplingDefaults sampling;
  const auto read = [&]<class T>(std::string_view name, std::optional<T>& value) -> Result<void> {
    const std::string key = fmt::format("general.sampling.{}", name);
    if (metadata.find(key) == nullptr) return {};
    QUERN_TRY(value, metadata.get<T>(key));
    return {};
  };
  QUERN_CHECK(read("temp", sampling.temperature));
  QUERN_CHECK(read("top_k", sampling.top_k));
  QUERN_CHECK(read("top_p", sampling.top_p));
  QUERN_CHECK(read("min_p", sampling.min_p));
  QUERN_CHECK(read("penalty_repeat", sampling.repetition_penalty));
  return sampling;
}

Result<std::vector<int32_t>> gguf_end_tokens(const GgufMetadata& metadata) {
  std::vector<int32_t> tokens;
  for (const char* name : {"eos", "eot", "eom"}) {
    std::optional<int32_t> id;
    QUERN_CHECK(read_id(metadata, name, id));
    if (id) tokens.push_back(*id);
  }
  return tokens;
}

}  // namespace quern::infer
