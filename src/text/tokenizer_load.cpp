// Tokenizer::load: opens what find_tokenizer_file finds.
#include <algorithm>

#include "base/file.h"
#include "text/bert_vocabulary.h"
#include "text/merges_file.h"
#include "text/sentencepiece_family.h"
#include "text/tiktoken_vocabularies.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"

namespace quern::text {

namespace {

Result<std::string> read_optional_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::string();
  return read_file(path);
}

Result<Tokenizer> load_merges(const std::filesystem::path& folder, std::string_view vocabulary) {
  QUERN_TRY(TokenizerCompanions companions, TokenizerCompanions::read(folder));
  QUERN_TRY(const std::string merges, read_file(folder / "merges.txt"));
  return read_vocabulary_and_merges(vocabulary, merges, std::move(companions));
}

Result<Tokenizer> load_sentencepiece(const std::filesystem::path& file, std::string_view content) {
  QUERN_TRY(TokenizerCompanions companions, TokenizerCompanions::read(file.parent_path()));
  if (companions.family().empty() && file.filename() == "sentencepiece.bpe.model") {
    return make_error(ErrorCode::unsupported, "nothing says whose model it is, and how it numbers pieces",
                      "tokenizer_class in tokenizer_config.json or model_type in config.json does");
  }
  QUERN_TRY(SentencePieceModel model, SentencePieceModel::parse(content));
  return make_tokenizer(std::move(model), std::move(companions));
}

Result<Tokenizer> load_tiktoken(const std::filesystem::path& file, std::string_view content) {
  QUERN_TRY(TokenizerCompanions companions, TokenizerCompanions::read(file.parent_path()));
  const int64_t ranks = std::ranges::count(content, '\n') + (content.ends_with('\n') ? 0 : 1);
  QUERN_TRY(const TiktokenSpec spec, find_tiktoken_spec(file.stem().string(), ranks, companions.family()));
  companions.complete({.bos = spec.bos, .eos = spec.eos});
  return read_tiktoken(content, spec, companions.config_json(), companions.chat_template());
}

Result<Tokenizer> load_file(const TokenizerFile& file, std::string_view content) {
  const std::filesystem::path folder = file.path.parent_path();
  if (file.format == TokenizerFormat::merges) return load_merges(folder, content);
  // Llama 3 calls its ranks tokenizer.model.
  if (file.format == TokenizerFormat::tiktoken ||
      (file.format == TokenizerFormat::sentencepiece && looks_like_tiktoken(content)))
    return load_tiktoken(file.path, content);
  if (file.format == TokenizerFormat::sentencepiece) return load_sentencepiece(file.path, content);
  QUERN_TRY(const std::string config, read_optional_file(folder / "tokenizer_config.json"));
  QUERN_TRY(const std::string chat_template, read_optional_file(folder / "chat_template.jinja"));
  if (file.format == TokenizerFormat::tokenizer_json)
    return Tokenizer::from_json(content, config, chat_template);
  QUERN_TRY(const std::string json, bert_tokenizer_json(content, config));
  return Tokenizer::from_json(json, config, chat_template);
}

}  // namespace

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& path) {
  QUERN_TRY(const TokenizerFile file, find_tokenizer_file(path));
  QUERN_TRY(const std::string content, read_file(file.path));
  auto loaded = load_file(file, content);
  if (loaded.ok()) return loaded;
  // What is wrong with a tokenizer.json names it already.
  const bool named = file.format == TokenizerFormat::tokenizer_json && file.path != path;
  return std::move(loaded).error().within((named ? path : file.path).string());
}

}  // namespace quern::text
