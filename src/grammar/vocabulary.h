// The tokens of a model as bytes, in a trie that a matcher walks to find which of them may come next.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::grammar {

using TokenId = int32_t;

// Read-only after construction, so thread-safe.
class Vocabulary {
 public:
  // The spelling of each token by id; empty for those that spell nothing (control tokens, holes), which no grammar
  // allows. `end_tokens` are allowed where a text may end, and spell nothing either.
  Vocabulary(std::span<const std::string> spellings, std::span<const TokenId> end_tokens);

  // Rows of the model's logits that have a token, and words of a mask of them.
  size_t size() const { return begins_.size() - 1; }
  size_t mask_words() const { return (size() + 63) / 64; }
  std::string_view spelling(TokenId id) const;
  bool is_end(TokenId id) const;
  std::span<const TokenId> end_tokens() const { return end_tokens_; }

  // A byte of a spelling. Nodes lie in preorder: those of its subtree follow it up to `end`.
  struct Node {
    uint32_t end;
    TokenId token;   // spelled by the path to here, or kNoToken; others spelled alike by next_alike()
    uint16_t depth;  // 1 for first bytes
    uint8_t byte;
  };
  static constexpr TokenId kNoToken = -1;
  std::span<const Node> nodes() const { return nodes_; }
  // Calls visit(id) for each token that ends in `node`.
  template <class Visit>
  void for_each_token(const Node& node, const Visit& visit) const {
    for (TokenId id = node.token; id != kNoToken; id = next_alike(id)) visit(id);
  }

 private:
  TokenId next_alike(TokenId id) const { return alike_.empty() ? kNoToken : alike_[static_cast<size_t>(id)]; }
  void add_nodes(std::span<const TokenId> sorted);

  std::string bytes_;
  std::vector<uint32_t> begins_;  // of spellings in bytes_
  std::vector<TokenId> end_tokens_;
  std::vector<TokenId> alike_;  // empty where all spellings differ
  std::vector<Node> nodes_;
};

}  // namespace quern::grammar
