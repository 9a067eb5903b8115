// Which tokens may come next in one state of a rule, as far as the rule itself tells.
#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "grammar/token_set.h"

namespace quern::grammar {

struct StateMask {
  // Tokens that stay inside of the rule, by the turns they need, the fewest first.
  struct Layer {
    uint32_t turn;
    TokenSet tokens;
  };
  // A place of the trie where the rule may have ended, after so many turns: what follows depends on the callers.
  struct Exit {
    uint32_t turn;
    uint8_t byte;   // the next one
    uint32_t node;  // of the trie, for this byte
    auto order() const { return std::tie(turn, byte, node); }
  };
  std::vector<Layer> layers;
  std::vector<Exit> exits;     // in order
  std::vector<size_t> groups;  // where exits of another turn or byte begin, and the end

  size_t size_bytes() const {
    size_t bytes = sizeof(*this) + exits.size() * sizeof(Exit) + groups.size() * sizeof(size_t);
    for (const Layer& layer : layers) bytes += sizeof(layer) + layer.tokens.size_bytes();
    return bytes;
  }
};

}  // namespace quern::grammar
