// What tests of grammars share: compiling, matching, and the slow definition of a mask.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "grammar/gbnf.h"
#include "grammar/matcher.h"

namespace quern::grammar {

using GrammarPtr = std::shared_ptr<const Grammar>;

inline Result<GrammarPtr> compile_gbnf(std::string_view text, Limits limits = {}) {
  Rules rules(limits);
  QUERN_TRY(const RuleId root, parse_gbnf(text, rules));
  return Grammar::compile(std::move(rules), root);
}

inline bool matches(const GrammarPtr& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return matcher.accept(text) && matcher.can_end();
}
inline bool matches(std::string_view gbnf, std::string_view text) {
  return matches(compile_gbnf(gbnf).value(), text);
}

inline std::vector<uint64_t> mask_of(Matcher& matcher, const Vocabulary& vocabulary) {
  std::vector<uint64_t> bits(vocabulary.mask_words());
  matcher.fill_mask(bits).value();
  return bits;
}

// The mask by trying every token on a copy; empty where one of them is too ambiguous.
inline std::vector<uint64_t> slow_mask(const Matcher& matcher, const Vocabulary& vocabulary) {
  std::vector<uint64_t> bits(vocabulary.mask_words());
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    Matcher copy = matcher;
    if (copy.accept_token(static_cast<TokenId>(id))) set_bit(bits, static_cast<TokenId>(id));
    if (copy.exhausted()) return {};
  }
  return bits;
}

// The ids of a mask, for messages.
inline std::vector<TokenId> ids_of(const std::vector<uint64_t>& bits) {
  std::vector<TokenId> ids;
  for (size_t id = 0; id < bits.size() * 64; ++id) {
    if (has_bit(bits, static_cast<TokenId>(id))) ids.push_back(static_cast<TokenId>(id));
  }
  return ids;
}

// Words of up to 5 letters of `alphabet`, every letter itself, and two end tokens at the end.
inline std::shared_ptr<const Vocabulary> random_vocabulary(Rng& rng, std::string_view alphabet,
                                                           size_t words) {
  std::vector<std::string> spellings{""};
  for (const char c : alphabet) spellings.emplace_back(1, c);
  for (size_t i = 0; i < words; ++i) {
    std::string word;
    for (uint64_t length = 1 + rng.below(5); length > 0; --length)
      word += alphabet[rng.below(alphabet.size())];
    spellings.push_back(word);
  }
  const auto end = static_cast<TokenId>(spellings.size());
  spellings.insert(spellings.end(), {"<end>", "<eot>"});
  return std::make_shared<const Vocabulary>(spellings, std::vector<TokenId>{end, end + 1});
}

}  // namespace quern::grammar
