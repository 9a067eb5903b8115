// Guesses by looking up where the last tokens stood before.
#pragma once

#include <unordered_map>

#include "engine/proposer.h"

namespace quern::engine {

// Of a sequence that repeats its prompt or itself: where its last tokens stood once already, the same follow (prompt
// look-up decoding, Saxena 2023). The longest match wins, of equals the latest, as in LZ77: places where the last two
// tokens stood are chained, and the latest of the chain are compared backwards.
class NgramProposer final : public Proposer {
 public:
  void look(Guess& guess) override;
  void propose(std::span<Guess*> guesses) override;
  void forget(SequenceId id) override { texts_.erase(id); }

 private:
  struct Text {
    std::unordered_map<uint64_t, int32_t> last;  // where a pair of tokens ended last
    std::vector<int32_t> before;  // for each token that ends a pair, where the pair ended before; -1: nowhere
    int64_t match = 0;            // where the guess that look() saw begins
  };
  static void index(Text& text, std::span<const int32_t> tokens);

  std::unordered_map<SequenceId, Text> texts_;
};

}  // namespace quern::engine
