#include "text/tiktoken.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/base64.h"
#include "text/bpe.h"
#include "text/byte_alphabet.h"
#include "text/byte_level_document.h"
#include "text/pipeline.h"
#include "text/surroundings.h"
#include "text/tokenizer_json.h"

namespace quern::text {

namespace {
Error bad_line(size_t line, std::string_view what) {
  return make_error(ErrorCode::corrupt, fmt::format("tiktoken ranks: line {}: {}", line, what),
                    "each line is a token in base64, a space and its rank");
}

Result<Vocabulary> read_ranks(std::string_view text) {
  Vocabulary vocabulary(true);
  const auto limit = static_cast<int64_t>(text.size());
  for (size_t line = 1; !text.empty(); ++line) {
    std::string_view row = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(row.size() + 1, text.size()));
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (row.empty()) continue;
    const size_t space = row.find(' ');
    const auto token = decode_base64(row.substr(0, space));
    if (space == row.npos || !token || token->empty()) return bad_line(line, "no token in base64");
    int64_t rank = -1;
    const char* const end = row.data() + row.size();
    const auto [after, error] = std::from_chars(row.data() + space + 1, end, rank);
    if (error != std::errc() || after != end) return bad_line(line, "the rank is not a whole number");
    auto added = vocabulary.add(to_byte_characters(*token), rank, limit);
    if (!added.ok()) return bad_line(line, added.error().message);
  }
  return vocabulary;
}

// In tiktoken's dialect {1,3}+ is possessive, in that of tokenizer.json it repeats the group. At the end of an
// alternative, where the published patterns have it, a greedy {1,3} takes the same.
std::string without_possessive_intervals(std::string_view pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool ends = i + 1 == pattern.size() || pattern[i + 1] == '|' || pattern[i + 1] == ')';
    const bool possessive =
        pattern[i] == '+' && i > 1 && pattern[i - 1] == '}' && pattern[i - 2] >= '0' && pattern[i - 2] <= '9';
    if (!(possessive && ends)) out += pattern[i];
  }
  return out;
}
}  // namespace

Result<Tokenizer> read_tiktoken(std::string_view text, const TiktokenSpec& spec, std::string_view config_json,
                                std::string_view chat_template) {
  QUERN_TRY(Vocabulary vocabulary, read_ranks(text));
  // Bytes join to the token of lowest rank, which is its id.
  std::vector<uint32_t> ranks(vocabulary.id_end());
  std::iota(ranks.begin(), ranks.end(), 0u);
  constexpr int64_t kMostIds = 1 << 24;
  std::vector<SpecialToken> specials;
  for (const auto& [token, id] : spec.special_tokens) {
    // Not one of the byte strings: text never becomes it by merging.
    if (auto added = vocabulary.add_literal(token, id, kMostIds); !added.ok()) {
      return make_error(ErrorCode::invalid_argument, "special tokens: " + added.error().message);
    }
    specials.push_back({token, true});
  }
  Pipeline pipeline;
  pipeline.document = byte_level_document({.patterns = {without_possessive_intervals(spec.pattern)},
                                           .added_tokens = std::move(specials),
                                           .nfc = spec.nfc});
  if (!spec.bos.empty()) {
    const NamedToken bos{spec.bos, vocabulary.find_token(spec.bos)};
    pipeline.document["post_processor"] = surroundings_json({.before = bos});
  }
  QUERN_TRY(auto bpe,
            Bpe::create_by_spelling(std::move(vocabulary), std::move(ranks), {.ignore_merges = true}));
  pipeline.model = std::move(bpe);
  QUERN_CHECK(make_components(pipeline));
  return Tokenizer::from_pipeline(std::move(pipeline), config_json, chat_template);
}

}  // namespace quern::text
