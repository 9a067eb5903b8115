#include "text/gguf_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/bpe.h"
#include "text/byte_level_document.h"
#include "text/pipeline.h"
#include "text/sentencepiece.h"
#include "text/split_patterns.h"
#include "text/surroundings.h"
#include "text/tokenizer_json.h"
#include "text/word_piece.h"

namespace quern::text {

namespace {
Error corrupt_vocabulary(std::string what) {
  return make_error(ErrorCode::corrupt, "GGUF vocabulary: " + std::move(what));
}

PieceType type_of(const GgufVocabulary& source, size_t id) {
  if (std::ranges::find(source.controls, static_cast<TokenId>(id)) != source.controls.end())
    return PieceType::control;
  return source.types.empty() ? PieceType::normal : static_cast<PieceType>(source.types[id]);
}

Result<void> check(const GgufVocabulary& source) {
  const size_t count = source.tokens.size();
  if (count == 0) return corrupt_vocabulary("there are no tokens");
  if (!source.scores.empty() && source.scores.size() != count)
    return corrupt_vocabulary(fmt::format("{} scores for {} tokens", source.scores.size(), count));
  if (!source.types.empty() && source.types.size() != count)
    return corrupt_vocabulary(fmt::format("{} types for {} tokens", source.types.size(), count));
  for (const int32_t type : source.types) {
    if (type < 1 || type > 6)
      return corrupt_vocabulary(fmt::format("a token has the type {}: expected 1 to 6", type));
  }
  std::vector<std::optional<TokenId>> ids = {source.bos, source.eos, source.unk, source.sep,
                                             source.pad, source.cls, source.mask};
  ids.insert(ids.end(), source.controls.begin(), source.controls.end());
  for (const auto& id : ids) {
    if (id && (*id < 0 || static_cast<size_t>(*id) >= count))
      return corrupt_vocabulary(
          fmt::format("a special token has the id {}: expected 0 to {}", *id, count - 1));
  }
  return {};
}

const std::string& token(const GgufVocabulary& source, TokenId id) {
  return source.tokens[static_cast<size_t>(id)];
}

std::string config_of(const GgufVocabulary& source) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  const auto role = [&](const char* key, std::optional<TokenId> id) {
    if (id) config[key] = token(source, *id);
  };
  role("bos_token", source.bos);
  role("eos_token", source.eos);
  role("unk_token", source.unk);
  role("pad_token", source.pad);
  if (!source.chat_template.empty()) config["chat_template"] = source.chat_template;
  return config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json surroundings(const GgufVocabulary& source, std::optional<TokenId> before, std::optional<TokenId> after) {
  const auto named = [&](std::optional<TokenId> id) {
    return id ? std::optional(NamedToken{token(source, *id), *id}) : std::nullopt;
  };
  return surroundings_json(
      {.before = named(before), .after = named(after), .before_second = source.model != "bert"});
}

Json begin_and_end(const GgufVocabulary& source, bool bos, bool eos) {
  return surroundings(source, source.add_bos.value_or(bos) ? source.bos : std::nullopt,
                      source.add_eos.value_or(eos) ? source.eos : std::nullopt);
}

Result<Tokenizer> finish(Pipeline pipeline, const GgufVocabulary& source, const Json& post_processor) {
  pipeline.document["post_processor"] = post_processor;
  QUERN_TRY(pipeline.post_processor, PostProcessor::load(post_processor, pipeline.id_end()));
  return Tokenizer::from_pipeline(std::move(pipeline), config_of(source));
}

Result<Bpe::MergeRule> read_merge(const std::string& text, const Vocabulary& vocabulary) {
  const size_t space = text.find(' ', 1);
  if (space == text.npos)
    return corrupt_vocabulary(fmt::format("the merge {:?} must be two tokens and a space", text));
  const std::string left = text.substr(0, space), right = text.substr(space + 1);
  const Bpe::MergeRule rule = {vocabulary.find_token(left), vocabulary.find_token(right),
                               vocabulary.find_token(left + right)};
  if (std::find(rule.begin(), rule.end(), kNoToken) != rule.end())
    return corrupt_vocabulary(
        fmt::format("the merge {:?} needs a token that is not in the vocabulary", text));
  return rule;
}

Result<Tokenizer> make_byte_level(const GgufVocabulary& source) {
  QUERN_TRY(const SplitRules rules, find_split_rules(source.pre.empty() ? "default" : source.pre));
  Vocabulary vocabulary(true);
  ByteLevelRules document{.patterns = rules.patterns, .added_tokens = {}, .nfc = rules.nfc};
  const auto limit = static_cast<int64_t>(source.tokens.size());
  vocabulary.reserve(source.tokens.size());
  for (int64_t id = 0; id < limit; ++id) {
    const auto at = static_cast<size_t>(id);
    const PieceType type = type_of(source, at);
    const bool added = type == PieceType::control || type == PieceType::user_defined;
    if (added) document.added_tokens.push_back({source.tokens[at], type == PieceType::control});
    if (type == PieceType::unused) continue;
    QUERN_CHECK(added ? vocabulary.add_literal(source.tokens[at], id, limit)
                      : vocabulary.add(source.tokens[at], id, limit));
  }
  std::vector<Bpe::MergeRule> merges;
  merges.reserve(source.merges.size());
  for (const std::string& text : source.merges) {
    QUERN_TRY(const Bpe::MergeRule rule, read_merge(text, vocabulary));
    merges.push_back(rule);
  }
  Pipeline pipeline;
  pipeline.document = byte_level_document(document);
  QUERN_TRY(auto bpe,
            Bpe::create(std::move(vocabulary), std::move(merges), {.ignore_merges = rules.ignore_merges}));
  pipeline.model = std::move(bpe);
  QUERN_CHECK(make_components(pipeline));
  return finish(std::move(pipeline), source, begin_and_end(source, rules.ignore_merges, false));
}

Result<Tokenizer> make_sentencepiece(const GgufVocabulary& source, SentencePieceModel::Kind kind) {
  SentencePieceModel model;
  const bool is_bpe = kind == SentencePieceModel::Kind::bpe;
  model.kind = kind;
  for (size_t id = 0; id < source.tokens.size(); ++id) {
    PieceType type = type_of(source, id);
    if (source.unk && static_cast<size_t>(*source.unk) == id) type = PieceType::unknown;
    if (type == PieceType::unused && is_bpe) type = PieceType::control;
    model.pieces.push_back({source.tokens[id], source.scores.empty() ? 0 : source.scores[id], type});
    model.byte_fallback = model.byte_fallback || type == PieceType::byte;
  }
  model.charsmap = source.precompiled_charsmap;
  model.add_dummy_prefix = source.add_space_prefix.value_or(true);
  model.remove_extra_whitespaces = source.remove_extra_whitespaces.value_or(!is_bpe);
  QUERN_TRY(Pipeline pipeline, make_pipeline(model));
  return finish(std::move(pipeline), source, begin_and_end(source, is_bpe, !is_bpe));
}

// llama.cpp stores words with a mark before them and what continues a word bare.
std::string word_piece_of(const std::string& stored, PieceType type) {
  constexpr std::string_view kMark = "\u2581";
  if (stored.starts_with(kMark)) return stored.substr(kMark.size());
  return type == PieceType::normal && !(stored.starts_with('[') && stored.ends_with(']')) ? "##" + stored
                                                                                          : stored;
}

Result<Tokenizer> make_word_piece(const GgufVocabulary& source) {
  Vocabulary vocabulary(false);
  std::vector<SpecialToken> specials;
  const auto limit = static_cast<int64_t>(source.tokens.size());
  for (int64_t id = 0; id < limit; ++id) {
    const auto at = static_cast<size_t>(id);
    const PieceType type = type_of(source, at);
    QUERN_CHECK(vocabulary.add(word_piece_of(source.tokens[at], type), id, limit));
    if (type == PieceType::control || type == PieceType::user_defined)
      specials.push_back({source.tokens[at], type == PieceType::control});
  }
  Pipeline pipeline;
  pipeline.document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens_json(specials)},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", source.strip_accents.value_or(true)},
        {"lowercase", source.lowercase.value_or(true)}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model", nullptr},
  };
  WordPieceOptions options;
  if (source.unk) options.unk_token = token(source, *source.unk);
  pipeline.model = std::make_unique<WordPiece>(std::move(vocabulary), std::move(options));
  QUERN_CHECK(make_components(pipeline));
  const bool cls = source.add_bos.value_or(true),
             sep = source.add_sep.value_or(source.add_eos.value_or(true));
  return finish(std::move(pipeline), source,
                surroundings(source, cls ? (source.cls ? source.cls : source.bos) : std::nullopt,
                             sep ? (source.sep ? source.sep : source.eos) : std::nullopt));
}
}  // namespace

Result<Tokenizer> make_tokenizer(const GgufVocabulary& source) {
  QUERN_CHECK(check(source));
  if (source.model == "gpt2") return make_byte_level(source);
  if (source.model == "llama") return make_sentencepiece(source, SentencePieceModel::Kind::bpe);
  if (source.model == "t5") return make_sentencepiece(source, SentencePieceModel::Kind::unigram);
  if (source.model == "bert") return make_word_piece(source);
  return make_error(
      ErrorCode::unsupported,
      fmt::format("the tokenizer model '{}' of a GGUF vocabulary is not supported", source.model),
      "supported: llama, gpt2, bert, t5");
}

}  // namespace quern::text
