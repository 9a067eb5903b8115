// All ways to cut a word into pieces: how likely they are together, how often each piece is expected in them, and the
// likeliest one. For training.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/byte_trie.h"

namespace quern::text {

// Pieces by index, with an unknown one at 0, which stands for a character that is no piece.
struct LatticePieces {
  static constexpr int32_t kUnknown = 0;
  const ByteTrie& trie;
  std::span<const double> scores;         // log probabilities; -infinity: there is no such piece any more
  std::span<const double> probabilities;  // their exponentials
};

class UnigramLattice {
 public:
  explicit UnigramLattice(const LatticePieces& pieces) : pieces_(pieces) {}

  // Finds the pieces of `word`, which must outlive what follows. `left_out` is not used.
  void fill(std::string_view word, int32_t left_out = -1);
  // Adds `weight` times the expected number of each piece.
  void add_expected(double weight, std::span<double> expected);
  // The likeliest cut, from its end; of equal ones the one whose last piece begins first. Returns its score.
  double find_best(std::vector<int32_t>& path);

 private:
  struct Edge {
    uint32_t begin, end;
    int32_t piece;
  };
  // A probability that may be far too small for a double: value * 2^(-kStep * steps).
  struct Scaled {
    static constexpr int kStep = 512;
    double value = 0;
    int32_t steps = 0;

    void add(Scaled other);
    Scaled times(double factor) const;
  };

  const LatticePieces& pieces_;
  size_t length_ = 0;
  std::vector<Edge> edges_;  // by begin, then end
  std::vector<Scaled> before_, after_;
  std::vector<double> best_;
  std::vector<int32_t> best_edge_;
};

}  // namespace quern::text
