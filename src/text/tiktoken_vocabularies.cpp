#include "text/tiktoken_vocabularies.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/base64.h"
#include "text/lexer.h"

namespace quern::text {

namespace {

struct SpecialRow {
  std::string_view text;
  int64_t place;  // id less the number of ranks
};

struct VocabularyRow {
  std::string_view name;
  std::string_view family;
  int64_t ranks;
  std::string_view pattern;
  std::vector<SpecialRow> specials;
  // Tokens "<|name_0|>" and on fill the other ids up to `numbered_end`, which is their place, too.
  std::string_view numbered = {};
  int64_t numbered_end = 0;
  bool nfc = false;
  std::string_view bos = {}, eos = "<|endoftext|>";
};

constexpr std::string_view kCl100kPattern =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)";

const std::vector<VocabularyRow>& vocabulary_rows() {
  static const std::vector<VocabularyRow> vocabulary_rows = {
      {"r50k_base", "gpt2", 50256, kGpt2Pattern, {{"<|endoftext|>", 0}}},
      // The id of <|endoftext|> is a hole in the ranks.
      {"p50k_base", "", 50280, kGpt2Pattern, {{"<|endoftext|>", -24}}},
      {"cl100k_base",
       "",
       100256,
       kCl100kPattern,
       {{"<|endoftext|>", 1},
        {"<|fim_prefix|>", 2},
        {"<|fim_middle|>", 3},
        {"<|fim_suffix|>", 4},
        {"<|endofprompt|>", 20}}},
      {"o200k_base", "", 199998, kGpt4oPattern, {{"<|endoftext|>", 1}, {"<|endofprompt|>", 20}}},
      // The names of Llama 3.1; those that 3 has are the same.
      {"llama3",
       "llama",
       128000,
       kLlama3Pattern,
       {{"<|begin_of_text|>", 0},
        {"<|end_of_text|>", 1},
        {"<|finetune_right_pad_id|>", 4},
        {"<|start_header_id|>", 6},
        {"<|end_header_id|>", 7},
        {"<|eom_id|>", 8},
        {"<|eot_id|>", 9},
        {"<|python_tag|>", 10}},
       "reserved_special_token",
       256,
       false,
       "<|begin_of_text|>",
       "<|end_of_text|>"},
      {"qwen",
       "qwen",
       151643,
       kQwen2Pattern,
       {{"<|endoftext|>", 0}, {"<|im_start|>", 1}, {"<|im_end|>", 2}},
       "extra",
       208,
       true},
  };
  return vocabulary_rows;
}

TiktokenSpec spec_of(const VocabularyRow& row, int64_t ranks) {
  TiktokenSpec spec{.pattern = std::string(row.pattern),
                    .special_tokens = {},
                    .nfc = row.nfc,
                    .bos = std::string(row.bos),
                    .eos = std::string(row.eos)};
  for (const auto& [text, place] : row.specials)
    spec.special_tokens.emplace_back(text, static_cast<TokenId>(ranks + place));
  int64_t number = 0;
  for (int64_t place = 0; place < row.numbered_end; ++place) {
    if (std::ranges::find(row.specials, place, &SpecialRow::place) != row.specials.end()) continue;
    spec.special_tokens.emplace_back(fmt::format("<|{}_{}|>", row.numbered, number++),
                                     static_cast<TokenId>(ranks + place));
  }
  return spec;
}

}  // namespace

bool looks_like_tiktoken(std::string_view content) {
  const std::string_view line = content.substr(0, content.find('\n'));
  const size_t space = line.find(' ');
  const auto token = decode_base64(line.substr(0, space));
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || c == '\r'; };
  return space != line.npos && token && !token->empty() && space + 1 < line.size() &&
         std::ranges::all_of(line.substr(space + 1), is_digit);
}

Result<TiktokenSpec> find_tiktoken_spec(std::string_view name, int64_t ranks, std::string_view family) {
  const auto find = [](auto&& is) { return std::ranges::find_if(vocabulary_rows(), is); };
  auto row = find([&](const VocabularyRow& r) { return r.name == name; });
  if (row == vocabulary_rows().end()) row = find([&](const VocabularyRow& r) { return r.ranks == ranks; });
  if (row == vocabulary_rows().end())
    row = find([&](const VocabularyRow& r) { return !family.empty() && r.family == family; });
  if (row != vocabulary_rows().end()) return spec_of(*row, ranks);
  std::string known;
  for (const VocabularyRow& r : vocabulary_rows())
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", r.name, r.ranks);
  return make_error(
      ErrorCode::unsupported,
      fmt::format("tiktoken ranks: how a vocabulary of {} ranks splits text is not known", ranks),
      fmt::format("known, by their number of ranks: {}. A file that splits as one of them does can have its "
                  "name, as in "
                  "cl100k_base.tiktoken",
                  known));
}

}  // namespace quern::text
