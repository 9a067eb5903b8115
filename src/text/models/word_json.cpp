// WordPiece, WordLevel and Unigram from tokenizer.json.
#include <fmt/format.h>

#include "text/models/model_json.h"
#include "text/unigram.h"
#include "text/word_level.h"
#include "text/word_piece.h"

namespace quern::text {

namespace {
using simdjson::dom::element;

struct ScoredVocabulary {
  Vocabulary vocabulary;
  std::vector<double> scores;
};

// [["piece", score], ...]
Result<ScoredVocabulary> read_scored_vocabulary(const ModelSource& source) {
  QUERN_TRY(const element list,
            require_member(source, "vocab", simdjson::dom::element_type::ARRAY, "a list of [piece, score]"));
  ScoredVocabulary read{Vocabulary(false), {}};
  for (const element item : simdjson::dom::array(list)) {
    simdjson::dom::array pair;
    std::string_view piece;
    double score = 0;
    if (item.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
        pair.at(0).get(piece) != simdjson::SUCCESS || pair.at(1).get(score) != simdjson::SUCCESS) {
      return corrupt_model(fmt::format("entry {} of 'vocab' must be [piece, score]", read.scores.size()));
    }
    read.vocabulary.append(piece);
    read.scores.push_back(score);
  }
  return read;
}
}  // namespace

Result<std::unique_ptr<Model>> read_word_piece(const ModelSource& source) {
  WordPieceOptions options;
  QUERN_TRY(options.unk_token, read_string(source.fields, "unk_token", options.unk_token));
  QUERN_TRY(options.continuing_subword_prefix,
            read_string(source.fields, "continuing_subword_prefix", options.continuing_subword_prefix));
  if (source.fields.has("max_input_chars_per_word")) {
    QUERN_TRY(options.max_input_chars_per_word, source.fields.count("max_input_chars_per_word", UINT32_MAX));
  }
  QUERN_TRY(Vocabulary vocabulary, read_vocabulary(source));
  return std::unique_ptr<Model>(std::make_unique<WordPiece>(std::move(vocabulary), std::move(options)));
}

Result<std::unique_ptr<Model>> read_word_level(const ModelSource& source) {
  QUERN_TRY(std::string unk_token, read_string(source.fields, "unk_token", "<unk>"));
  QUERN_TRY(Vocabulary vocabulary, read_vocabulary(source));
  return std::unique_ptr<Model>(std::make_unique<WordLevel>(std::move(vocabulary), std::move(unk_token)));
}

Result<std::unique_ptr<Model>> read_unigram(const ModelSource& source) {
  UnigramOptions options;
  QUERN_TRY(options.byte_fallback, source.fields.flag("byte_fallback", false));
  if (source.fields.has("unk_id")) {
    QUERN_TRY(const uint32_t unk, source.fields.count("unk_id", INT32_MAX));
    options.unk = static_cast<TokenId>(unk);
  }
  QUERN_TRY(ScoredVocabulary read, read_scored_vocabulary(source));
  auto model = Unigram::create(std::move(read.vocabulary), std::move(read.scores), options);
  if (!model.ok()) return std::move(model).error().within("tokenizer.json");
  return std::unique_ptr<Model>(std::move(model).value());
}

}  // namespace quern::text
