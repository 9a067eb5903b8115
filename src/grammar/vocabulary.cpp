#include "grammar/vocabulary.h"

#include <algorithm>

#include "base/exception.h"

namespace quern::grammar {

namespace {
constexpr size_t kLongest = UINT16_MAX;  // a longer spelling is left out, as if it were a control token
}

Vocabulary::Vocabulary(std::span<const std::string> spellings, std::span<const TokenId> end_tokens)
    : end_tokens_(end_tokens.begin(), end_tokens.end()) {
  std::vector<TokenId> sorted;
  begins_.reserve(spellings.size() + 1);
  begins_.push_back(0);
  for (size_t i = 0; i < spellings.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (!is_end(id) && !spellings[i].empty() && spellings[i].size() <= kLongest) {
      bytes_ += spellings[i];
      sorted.push_back(id);
    }
    begins_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  std::ranges::stable_sort(sorted, {}, [this](TokenId id) { return spelling(id); });
  add_nodes(sorted);
}

std::string_view Vocabulary::spelling(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= size()) return {};
  const auto i = static_cast<size_t>(id);
  return std::string_view(bytes_).substr(begins_[i], begins_[i + 1] - begins_[i]);
}

bool Vocabulary::is_end(TokenId id) const { return std::ranges::find(end_tokens_, id) != end_tokens_.end(); }

void Vocabulary::add_nodes(std::span<const TokenId> sorted) {
  std::vector<uint32_t> path;  // nodes of the spelling before
  std::string_view before;
  const auto leave = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back())
      nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (const TokenId id : sorted) {
    const std::string_view text = spelling(id);
    leave(static_cast<size_t>(std::ranges::mismatch(text, before).in1 - text.begin()));
    while (path.size() < text.size()) {
      const auto byte = static_cast<uint8_t>(text[path.size()]);
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, kNoToken, static_cast<uint16_t>(path.size()), byte});
    }
    TokenId& token = nodes_[path.back()].token;
    if (token != kNoToken) {
      alike_.resize(size(), kNoToken);
      alike_[static_cast<size_t>(id)] = token;
    }
    token = id;
    before = text;
  }
  leave(0);
}

}  // namespace quern::grammar
