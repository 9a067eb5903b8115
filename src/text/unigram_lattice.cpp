#include "text/unigram_lattice.h"

#include "text/unicode.h"

namespace quern::text {

namespace {
const double kSmall = std::ldexp(1, -512);
const double kLarge = std::ldexp(1, 512);
}  // namespace

void UnigramLattice::Scaled::add(Scaled other) {
  if (value == 0) {
    *this = other;
  } else if (other.steps == steps) {
    value += other.value;
  } else if (other.steps == steps + 1) {
    value += other.value * kSmall;
  } else if (other.steps == steps - 1) {
    value = other.value + value * kSmall;
    steps = other.steps;
  } else if (other.steps < steps) {  // nothing is left of the smaller one
    *this = other;
  }
}

UnigramLattice::Scaled UnigramLattice::Scaled::times(double factor) const {
  Scaled product{value * factor, steps};
  if (product.value < kSmall) {
    product.value *= kLarge;
    ++product.steps;
  }
  return product;
}

void UnigramLattice::fill(std::string_view word, int32_t left_out) {
  length_ = word.size();
  edges_.clear();
  for (uint32_t at = 0; at < word.size();) {
    const uint32_t next = at + decode_utf8(word.substr(at)).length;
    bool has_single = false;
    uint32_t node = ByteTrie::kRoot;
    for (uint32_t i = at; i < word.size(); ++i) {
      node = pieces_.trie.child(node, word[i]);
      if (node == ByteTrie::kNoNode) break;
      const int32_t piece = pieces_.trie.value(node);
      if (piece == ByteTrie::kNoValue || piece == left_out) continue;
      if (pieces_.probabilities[static_cast<size_t>(piece)] == 0) continue;
      edges_.push_back({at, i + 1, piece});
      has_single = has_single || i + 1 == next;
    }
    if (!has_single) edges_.push_back({at, next, LatticePieces::kUnknown});
    at = next;
  }
}

void UnigramLattice::add_expected(double weight, std::span<double> expected) {
  before_.assign(length_ + 1, {});
  after_.assign(length_ + 1, {});
  before_[0].value = after_[length_].value = 1;
  const auto probability = [&](const Edge& edge) {
    return pieces_.probabilities[static_cast<size_t>(edge.piece)];
  };
  for (const Edge& edge : edges_) before_[edge.end].add(before_[edge.begin].times(probability(edge)));
  for (auto edge = edges_.rbegin(); edge != edges_.rend(); ++edge)
    after_[edge->begin].add(after_[edge->end].times(probability(*edge)));
  const Scaled all = before_[length_];
  for (const Edge& edge : edges_) {
    const Scaled before = before_[edge.begin], after = after_[edge.end];
    // Divided first: the product of both may be too small.
    double share = before.value / all.value * after.value * probability(edge);
    const int32_t steps = before.steps + after.steps - all.steps;
    if (steps != 0) share = std::ldexp(share, -Scaled::kStep * steps);
    expected[static_cast<size_t>(edge.piece)] += weight * share;
  }
}

double UnigramLattice::find_best(std::vector<int32_t>& path) {
  best_.assign(length_ + 1, -INFINITY);
  best_edge_.assign(length_ + 1, -1);
  best_[0] = 0;
  for (size_t i = 0; i < edges_.size(); ++i) {
    const Edge& edge = edges_[i];
    const double score = best_[edge.begin] + pieces_.scores[static_cast<size_t>(edge.piece)];
    if (best_edge_[edge.end] >= 0 && !(score > best_[edge.end])) continue;
    best_[edge.end] = score;
    best_edge_[edge.end] = static_cast<int32_t>(i);
  }
  path.clear();
  for (size_t end = length_; end > 0;) {
    const Edge& edge = edges_[static_cast<size_t>(best_edge_[end])];
    path.push_back(edge.piece);
    end = edge.begin;
  }
  return best_[length_];
}

}  // namespace quern::text
