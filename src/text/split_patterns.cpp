#include "text/split_patterns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "text/lexer.h"

namespace quern::text {

namespace {
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kDeepSeek3Digits = R"(\p{N}{1,3})";
constexpr std::string_view kDeepSeek3Cjk = R"([一-龥぀-ゟ゠-ヿ]+)";
constexpr std::string_view kDeepSeek3Rest =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kFalcon1 = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kFalcon3 = R"([0-9][0-9][0-9])";
constexpr std::string_view kNewline = R"([\r\n])";
constexpr std::string_view kSpacedLetters = R"(\s?\p{L}+)";
constexpr std::string_view kSpacedPunctuation = R"(\s?\p{P}+)";
constexpr std::string_view kCoderCjk = R"([一-龥ࠀ-一가-퟿]+)";

struct PatternRow {
  std::string_view name = {};
  std::array<std::string_view, 5> patterns = {};
  bool nfc = false;
  bool ignore_merges = false;
};

const std::vector<PatternRow>& pattern_rows() {
  static const std::vector<PatternRow> pattern_rows = {
      {"default", {kGpt2Pattern}},
      {"gpt-2", {kGpt2Pattern}},
      {"phi-2", {kGpt2Pattern}},
      {"mpt", {kGpt2Pattern}},
      {"olmo", {kGpt2Pattern}},
      {"roberta-bpe", {kGpt2Pattern}},
      {"jina-en", {kGpt2Pattern}},
      {"jina-v2-code", {kGpt2Pattern}},
      // First of its rules: llama.cpp takes spaces before punctuation out of what other names decode to.
      {"smollm", {kDigit, kGpt2Pattern}},
      {"refact", {kDigit, kGpt2Pattern}},
      {"command-r", {kDigit, kGpt2Pattern}, true},
      {"starcoder", {kDigit, kGpt2Pattern}},
      {"codeshell", {kDigit, kGpt2Pattern}},
      {"exaone", {kDigit, kGpt2Pattern}},
      {"falcon", {kFalcon1, kGpt2Pattern, kFalcon3}},
      {"llama-bpe", {kLlama3Pattern}, false, true},
      {"llama3", {kLlama3Pattern}, false, true},
      {"llama-v3", {kLlama3Pattern}, false, true},
      {"falcon3", {kLlama3Pattern}, false, true},
      {"dbrx", {kLlama3Pattern}},
      {"smaug-bpe", {kLlama3Pattern}},
      {"glm4", {kLlama3Pattern}},
      {"chatglm-bpe", {kLlama3Pattern}},
      {"qwen2", {kQwen2Pattern}, true},
      {"deepseek-r1-qwen", {kQwen2Pattern}, true},
      {"stablelm2", {kQwen2Pattern}, true},
      {"megrez", {kQwen2Pattern}, true},
      {"qwen35", {kQwen35}, true},
      {"gpt-4o", {kGpt4oPattern}},
      {"llama4", {kGpt4oPattern}},
      {"tekken", {kTekken}, false, true},
      {"deepseek-coder", {kNewline, kSpacedLetters, kSpacedPunctuation, kCoderCjk, kDigit}},
      {"deepseek-v3", {kDeepSeek3Digits, kDeepSeek3Cjk, kDeepSeek3Rest}},
  };
  return pattern_rows;
}

SplitRules rules_of(const PatternRow& row) {
  SplitRules rules{.patterns = {}, .nfc = row.nfc, .ignore_merges = row.ignore_merges};
  for (const std::string_view pattern : row.patterns) {
    if (!pattern.empty()) rules.patterns.emplace_back(pattern);
  }
  return rules;
}
}  // namespace

Result<SplitRules> find_split_rules(std::string_view name) {
  std::string known;
  for (const PatternRow& row : pattern_rows()) {
    if (row.name == name) return rules_of(row);
    known.append(known.empty() ? "" : ", ").append(row.name);
  }
  return make_error(ErrorCode::unsupported,
                    fmt::format("the pre-tokenizer '{}' of the GGUF vocabulary is not known", name),
                    "known: " + known);
}

Result<std::string> find_split_name(const SplitRules& rules) {
  std::string nearest;
  for (const PatternRow& row : pattern_rows()) {
    const SplitRules known = rules_of(row);
    if (known.patterns != rules.patterns || known.ignore_merges != rules.ignore_merges) continue;
    // "default" makes other programs warn.
    if (row.name == "default") continue;
    if (known.nfc == rules.nfc) return std::string(row.name);
    if (nearest.empty()) nearest = row.name;
  }
  if (!nearest.empty()) return nearest;
  return make_error(
      ErrorCode::unsupported,
      fmt::format("GGUF has no name for a tokenizer that splits by {}{}", fmt::join(rules.patterns, " then "),
                  rules.ignore_merges ? " and ignores merges" : ""),
      "readers of GGUF know split patterns of published models alone");
}

}  // namespace quern::text
