#include "text/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "text/models/model_json.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
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

// The scores that paths are weighed by.
std::vector<double> weights_of(const std::vector<double>& scores, const UnigramOptions& options) {
  std::vector<double> weights = scores;
  if (options.as_sentencepiece) return weights;
  for (double& weight : weights) weight = as_serde_reads(weight);
  return weights;
}

double lowest(const std::vector<double>& scores) {
  double low = INFINITY;
  for (const double score : scores) {
    if (score != Unigram::kNeverChosen) low = std::min(low, score);
  }
  return std::isfinite(low) ? low : 0;
}

ByteTrie trie_of(const Vocabulary& vocabulary, const std::vector<double>& scores) {
  std::vector<ByteTrie::Entry> entries;
  entries.reserve(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (scores[i] != Unigram::kNeverChosen) entries.push_back({vocabulary.bytes(id), id});
  }
  return ByteTrie(std::move(entries));
}
}  // namespace

struct Unigram::LatticeScratch : Scratch {
  std::vector<Step> steps;
  std::vector<Span> path;  // from the end
  std::vector<TokenId> ids;
};

Unigram::Unigram(Vocabulary vocabulary, std::vector<double> scores, UnigramOptions options)
    : vocabulary_(std::move(vocabulary)),
      scores_(std::move(scores)),
      options_(options),
      weights_(weights_of(scores_, options_)),
      unk_score_(options_.unk_score.value_or(lowest(weights_) - kUnknownPenalty)),
      trie_(trie_of(vocabulary_, scores_)),
      byte_tokens_(find_byte_tokens(vocabulary_)) {}

Result<std::unique_ptr<Unigram>> Unigram::create(Vocabulary vocabulary, std::vector<double> scores,
                                                 UnigramOptions options) {
  for (size_t id = 0; id < scores.size(); ++id) {
    if (std::isfinite(scores[id])) continue;
    return make_error(ErrorCode::corrupt, fmt::format("the score of token {} is not a finite number", id));
  }
  if (options.unk != kNoToken && static_cast<size_t>(options.unk) >= scores.size()) {
    return make_error(ErrorCode::corrupt, fmt::format("unk_id is {}: expected 0 to {}", options.unk,
                                                      static_cast<int64_t>(scores.size()) - 1));
  }
  return std::unique_ptr<Unigram>(new Unigram(std::move(vocabulary), std::move(scores), options));
}

std::unique_ptr<ModelScratch> Unigram::make_scratch() const { return std::make_unique<LatticeScratch>(); }

// Of paths with equal scores the one that was found first wins, so the order of sums matters to the last bit.
void Unigram::find_best_steps(std::string_view word, std::vector<Step>& steps) const {
  steps.assign(word.size() + 1, {0, kNoToken, kUnreached});
  const auto offer = [&](size_t end, double sum, TokenId id, size_t begin) {
    const double score = options_.as_sentencepiece ? static_cast<double>(static_cast<float>(sum)) : sum;
    Step& step = steps[end];
    if (step.begin == kUnreached || score > step.score) step = {score, id, static_cast<uint32_t>(begin)};
  };
  for (size_t at = 0; at < word.size();) {
    const size_t next = at + decode_utf8(word.substr(at)).length;
    const double before = steps[at].score;
    bool has_single = false;
    uint32_t node = ByteTrie::kRoot;
    for (size_t i = at; i < word.size(); ++i) {
      node = trie_.child(node, word[i]);
      if (node == ByteTrie::kNoNode) break;
      const TokenId id = trie_.value(node);
      if (id == ByteTrie::kNoValue) continue;
      offer(i + 1, weights_[static_cast<size_t>(id)] + before, id, at);
      has_single = has_single || i + 1 == next;
    }
    if (!has_single) offer(next, unk_score_ + before, options_.unk, at);
    at = next;
  }
}

void Unigram::encode_word(std::string_view word, uint32_t at, Scratch& base, TokenSink sink) const {
  auto& scratch = static_cast<LatticeScratch&>(base);
  const std::vector<Step>& steps = scratch.steps;
  find_best_steps(word, scratch.steps);
  scratch.path.clear();
  for (auto end = static_cast<uint32_t>(word.size()); end > 0; end = steps[end].begin)
    scratch.path.push_back({steps[end].begin, end});
  Span unknown;
  for (size_t i = scratch.path.size(); i-- > 0;) {
    const Span piece = scratch.path[i];
    const TokenId id = steps[piece.end].id;
    if (id == options_.unk) {
      if (unknown.begin == unknown.end) unknown.begin = piece.begin;
      unknown.end = piece.end;
      continue;
    }
    if (unknown.begin < unknown.end) add_unknown(word, unknown, at, sink);
    unknown = {piece.end, piece.end};
    sink.ids.push_back(id);
    if (sink.spans) sink.spans->push_back({at + piece.begin, at + piece.end});
  }
  if (unknown.begin < unknown.end) add_unknown(word, unknown, at, sink);
}

// Unknown characters in a row: the token they happen to spell, bytes, or one unk.
void Unigram::add_unknown(std::string_view word, Span unknown, uint32_t at, TokenSink sink) const {
  const std::string_view text = word.substr(unknown.begin, unknown.end - unknown.begin);
  const auto add = [&](TokenId id) {
    sink.ids.push_back(id);
    if (sink.spans) sink.spans->push_back({at + unknown.begin, at + unknown.end});
  };
  if (!options_.as_sentencepiece) {
    if (const TokenId id = vocabulary_.find_bytes(text); id != kNoToken) return add(id);
  }
  const auto token_of = [&](char c) { return byte_tokens_[static_cast<uint8_t>(c)]; };
  const bool as_bytes = options_.byte_fallback && std::all_of(text.begin(), text.end(), [&](char c) {
                          return token_of(c) != kNoToken;
                        });
  if (!as_bytes) return add(require_unknown(options_.unk, text));
  for (const char c : text) add(token_of(c));
}

std::string Unigram::to_json() const {
  std::string vocab = "\"vocab\":[";
  for (size_t id = 0; id < scores_.size(); ++id) {
    vocab += fmt::format("{}\n[{},{}]", id == 0 ? "" : ",",
                         quoted_json(vocabulary_.token(static_cast<TokenId>(id)).value_or("")),
                         Json(scores_[id]).dump());
  }
  return model_json({{"type", "Unigram"},
                     {"unk_id", options_.unk == kNoToken ? Json() : Json(options_.unk)},
                     {"byte_fallback", options_.byte_fallback}},
                    vocab + "]");
}

}  // namespace quern::text
