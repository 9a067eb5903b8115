#include "engine/ngram_proposer.h"

#include <algorithm>

namespace quern::engine {

namespace {

constexpr int64_t kMostPlaces = 32;  // of a chain that are compared
constexpr int64_t kLongest = 16;     // tokens of a match that are told apart

uint64_t pair_ending_at(std::span<const int32_t> tokens, int64_t i) {
  const auto at = [&](int64_t place) {
    return static_cast<uint64_t>(static_cast<uint32_t>(tokens[static_cast<size_t>(place)]));
  };
  return at(i - 1) << 32 | at(i);
}

// How many tokens up to `place` are the last ones of the text; 2 at least, which their pair tells.
int64_t match_length(std::span<const int32_t> tokens, int64_t place) {
  const auto last = static_cast<int64_t>(tokens.size()) - 1;
  int64_t length = 2;
  while (length < kLongest && length <= place &&
         tokens[static_cast<size_t>(place - length)] == tokens[static_cast<size_t>(last - length)])
    ++length;
  return length;
}

}  // namespace

// The pair that ends the text is not indexed until something follows it. A text that became shorter is another one.
void NgramProposer::index(Text& text, std::span<const int32_t> tokens) {
  if (text.before.size() >= tokens.size()) text = Text();
  text.before.reserve(tokens.size());
  for (auto i = static_cast<int64_t>(text.before.size()); i + 1 < static_cast<int64_t>(tokens.size()); ++i) {
    text.before.push_back(-1);
    if (i == 0) continue;
    const auto [place, fresh] = text.last.try_emplace(pair_ending_at(tokens, i), static_cast<int32_t>(i));
    if (fresh) continue;
    text.before.back() = place->second;
    place->second = static_cast<int32_t>(i);
  }
}

void NgramProposer::look(Guess& guess) {
  Text& text = texts_[guess.id];
  index(text, guess.tokens);
  const auto count = static_cast<int64_t>(guess.tokens.size());
  const auto found = count < 2 ? text.last.end() : text.last.find(pair_ending_at(guess.tokens, count - 1));
  if (found == text.last.end()) {
    guess.most = 0;
    return;
  }
  int64_t best = 0;
  int32_t place = found->second;
  for (int64_t tried = 0; place >= 0 && tried < kMostPlaces && best < kLongest; ++tried) {
    const int64_t length = match_length(guess.tokens, place);
    if (length > best) {
      best = length;
      text.match = place + 1;
    }
    place = text.before[static_cast<size_t>(place)];
  }
  guess.kind = best < 3 ? 0 : best < 4 ? 1 : best < 8 ? 2 : 3;
  guess.next = guess.tokens[static_cast<size_t>(text.match)];
}

// A match near the end is a loop: its guesses go round in it.
void NgramProposer::propose(std::span<Guess*> guesses) {
  for (Guess* guess : guesses) {
    const int64_t match = texts_.at(guess->id).match;
    const auto count = static_cast<int64_t>(guess->tokens.size());
    for (int64_t i = match; i < match + guess->most; ++i) {
      guess->drafts.push_back(i < count ? guess->tokens[static_cast<size_t>(i)]
                                        : guess->drafts[static_cast<size_t>(i - count)]);
    }
  }
}

}  // namespace quern::engine
