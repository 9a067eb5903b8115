#include "infer/constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

namespace quern::infer {

namespace {

// "<0x0A>" as SentencePiece writes bytes it has no piece for.
bool read_byte_token(std::string_view token, std::string& spelling) {
  unsigned byte = 0;
  char end = 0;
  const std::string copy(token);
  if (copy.size() != 6 || std::sscanf(copy.c_str(), "<0x%2X%c", &byte, &end) != 2 || end != '>') return false;
  spelling.assign(1, static_cast<char>(byte));
  return true;
}

std::string with_spaces(std::string_view token) {
  constexpr std::string_view kMark = "\u2581";
  std::string text;
  for (size_t at = 0; at < token.size();) {
    const size_t mark = std::min(token.find(kMark, at), token.size());
    text += token.substr(at, mark - at);
    if (mark < token.size()) text += ' ';
    at = mark + kMark.size();
  }
  return text;
}

std::string text_of(const text::Tokenizer& tokenizer, int32_t id) {
  if (std::optional<std::string> bytes = tokenizer.token_bytes(id)) return *std::move(bytes);
  const std::string token = tokenizer.id_to_token(id).value_or("");
  std::string byte;
  return read_byte_token(token, byte) ? byte : with_spaces(token);
}

std::string spelling_of_id(const text::Tokenizer& tokenizer, int32_t id) {
  if (tokenizer.special_ids().unk == id) return {};
  if (tokenizer.is_special(id)) return kSpecialMark + tokenizer.id_to_token(id).value_or("");
  std::string text = text_of(tokenizer, id);
  return text.starts_with(kSpecialMark) ? std::string() : text;
}

}  // namespace

Result<std::shared_ptr<const grammar::Vocabulary>> make_vocabulary(const text::Tokenizer& tokenizer,
                                                                   std::span<const int32_t> end_tokens) {
  if (tokenizer.model_type() == "WordPiece" || tokenizer.model_type() == "WordLevel") {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("answers of a model with a {} tokenizer cannot be constrained", tokenizer.model_type()));
  }
  std::vector<std::string> spellings(static_cast<size_t>(tokenizer.vocab_size()));
  for (size_t id = 0; id < spellings.size(); ++id)
    spellings[id] = spelling_of_id(tokenizer, static_cast<int32_t>(id));
  return std::make_shared<const grammar::Vocabulary>(spellings, end_tokens);
}

std::string spelling_of(const text::Tokenizer& tokenizer, std::string_view marker) {
  const auto id = tokenizer.token_to_id(marker);
  return (id && tokenizer.is_special(*id) ? std::string(1, kSpecialMark) : std::string()).append(marker);
}

void apply_constraint(grammar::Matcher& matcher, std::span<float> logits) {
  std::vector<uint64_t> mask(matcher.vocabulary().mask_words());
  matcher.fill_mask(mask).value();
  mask.resize((logits.size() + 63) / 64);
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  bool any = false;
  for (size_t word = 0; word < mask.size(); ++word) {
    const std::span<float> part = logits.subspan(64 * word, std::min<size_t>(64, logits.size() - 64 * word));
    if (mask[word] == 0) {
      std::ranges::fill(part, kNever);
      continue;
    }
    for (size_t i = 0; i < part.size(); ++i) part[i] = (mask[word] >> i & 1) != 0 ? part[i] : kNever;
    any = any || std::ranges::any_of(part, [](float logit) { return std::isfinite(logit); });
  }
  if (any) return;
  throw Exception(make_error(ErrorCode::invalid_argument,
                             "no token of this model can go on with the text that the grammar asks for"));
}

void advance(grammar::Matcher& matcher, int32_t token) {
  if (matcher.accept_token(token)) return;
  throw Exception(make_error(ErrorCode::invalid_argument, "the grammar has too many ways to read this text"));
}

}  // namespace quern::infer
