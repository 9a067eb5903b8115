// WordPiece, WordLevel and Unigram from tokenizer.json.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string>
#include <vector>

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

constexpr int kMostPower = 308;

double power_of_ten(int exponent) {
  static const std::vector<double> powers = [] {
    std::vector<double> table;
    for (int i = 0; i <= kMostPower; ++i) table.push_back(std::stod("1e" + std::to_string(i)));
    return table;
  }();
  return powers[static_cast<size_t>(exponent)];
}

// What serde_json, which tokenizers reads its files with, takes for a number whose nearest double is `value`: the digits as
// a whole number, multiplied or divided once by a power of ten. One number in seven differs in its last bit from what it
// says, and with it which of two cuts of a long run wins.
double as_serde_reads(double value) {
  if (value == 0.0 || !std::isfinite(value)) return value;
  char text[32];
  const auto end =
      std::to_chars(text, text + sizeof text, std::abs(value), std::chars_format::scientific).ptr;
  const std::string_view shortest(text, static_cast<size_t>(end - text));
  const size_t e = shortest.find('e');
  std::string digits(shortest.substr(0, e));
  int exponent = 0;
  const size_t sign = shortest[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(shortest.data() + sign, end, exponent);
  if (const size_t point = digits.find('.'); point != std::string::npos) {
    exponent -= static_cast<int>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  uint64_t whole = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), whole);
  auto read = static_cast<double>(whole);
  for (; exponent < -kMostPower; exponent += kMostPower) read /= power_of_ten(kMostPower);
  read = exponent < 0 ? read / power_of_ten(-exponent) : read * power_of_ten(exponent);
  return value < 0.0 ? -read : read;
}

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
    read.scores.push_back(as_serde_reads(score));
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
