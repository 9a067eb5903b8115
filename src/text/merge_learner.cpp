#include "text/merge_learner.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "base/interrupt.h"
#include "text/byte_hash.h"

namespace quern::text {

namespace {
constexpr TokenId kBoundary = -1;  // between words
constexpr TokenId kDead = -2;      // was the start of a token that is now the right part of another

// A pair of tokens that stood side by side at some time.
struct Pair {
  uint64_t key = 0;              // left << 32 | right
  int64_t count = 0;             // occurrences now, weighted by their words
  uint64_t positions_begin = 0;  // where it occurs, in order; may hold places where it no longer does
  uint32_t positions_count = 0;
  uint32_t fresh = 0;  // positions added by the merge that is under way

  TokenId left() const { return static_cast<TokenId>(key >> 32); }
  TokenId right() const { return static_cast<TokenId>(key); }
};

// Pairs by key, with open addressing.
class PairTable {
 public:
  uint32_t find_or_add(TokenId left, TokenId right) {
    if ((pairs_.size() + 1) * 2 > slots_.size()) grow();
    const uint64_t key = uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
    uint32_t& slot = slots_[probe(key)];
    if (slot == kFree) {
      slot = static_cast<uint32_t>(pairs_.size());
      pairs_.push_back({.key = key});
    }
    return slot;
  }
  Pair& operator[](uint32_t index) { return pairs_[index]; }
  uint32_t size() const { return static_cast<uint32_t>(pairs_.size()); }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  size_t probe(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t i = mix_hash(key, 0) & mask;
    while (slots_[i] != kFree && pairs_[slots_[i]].key != key) i = (i + 1) & mask;
    return i;
  }
  void grow() {
    slots_.assign(std::max<size_t>(1 << 16, slots_.size() * 2), kFree);
    for (uint32_t i = 0; i < pairs_.size(); ++i) slots_[probe(pairs_[i].key)] = i;
  }
  std::vector<Pair> pairs_;
  std::vector<uint32_t> slots_;
};

// Most frequent first, then smaller ids. The count may be out of date: then the pair is filed again when it
// surfaces.
struct Candidate {
  int64_t count;
  uint64_t key;
  uint32_t pair;
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : key > other.key;
  }
};

// All distinct words as cells, one per symbol, with a boundary before, between and after. The first and the
// last cell of a token hold its id, so that both neighbours are found by its length; cells in between hold
// nothing of use.
class MergeLearner {
 public:
  MergeLearner(const WordCounts& words, MergeStart start, int64_t min_frequency);
  LearnedMerges learn(int64_t vocab_size, Progress& progress) &&;

 private:
  struct Cell {
    TokenId token;
    uint32_t word;
  };
  struct Occurrence {
    uint32_t pair;
    uint32_t position;
  };
  void count_first_pairs();
  TokenId token_for(TokenId left, TokenId right);
  void merge(uint32_t pair, TokenId result);
  void merge_at(uint32_t position, TokenId left, TokenId right, TokenId result);
  void add(TokenId left, TokenId right, uint32_t position, int64_t weight);
  void remove(TokenId left, TokenId right, int64_t weight) {
    pairs_[pairs_.find_or_add(left, right)].count -= weight;
  }
  void file_fresh();
  uint32_t length(TokenId token) const { return lengths_[static_cast<size_t>(token)]; }

  const std::vector<int64_t>& weights_;
  int64_t min_frequency_;
  std::vector<std::string> tokens_;
  std::string prefix_;
  StringTable spellings_;          // of tokens_, in order
  std::vector<uint32_t> lengths_;  // cells by token
  std::vector<Cell> cells_;
  PairTable pairs_;
  std::vector<uint32_t> positions_;  // of all pairs; a pair's lie side by side
  std::vector<Occurrence> fresh_;
  std::vector<uint32_t> touched_;  // pairs with fresh positions
  std::priority_queue<Candidate> queue_;
};

MergeLearner::MergeLearner(const WordCounts& words, MergeStart start, int64_t min_frequency)
    : weights_(words.counts),
      min_frequency_(std::max<int64_t>(min_frequency, 1)),
      tokens_(std::move(start.tokens)),
      prefix_(std::move(start.continuing_prefix)) {
  for (const std::string& token : tokens_) spellings_.add(token);
  lengths_.assign(tokens_.size(), 1);
  cells_.reserve(words.words.bytes() + words.words.size() + 1);
  cells_.push_back({kBoundary, 0});
  std::vector<TokenId> symbols;
  for (uint32_t word = 0; word < words.words.size(); ++word) {
    symbols.clear();
    start.spell(words.words.at(word), symbols);
    for (const TokenId symbol : symbols) cells_.push_back({symbol, word});
    cells_.push_back({kBoundary, 0});
  }
  count_first_pairs();
}

void MergeLearner::count_first_pairs() {
  for (uint32_t at = 0; at + 1 < cells_.size(); ++at) {
    const TokenId left = cells_[at].token, right = cells_[at + 1].token;
    if (left != kBoundary && right != kBoundary) add(left, right, at, weights_[cells_[at].word]);
  }
  file_fresh();
  fresh_.shrink_to_fit();
}

void MergeLearner::add(TokenId left, TokenId right, uint32_t position, int64_t weight) {
  const uint32_t index = pairs_.find_or_add(left, right);
  Pair& pair = pairs_[index];
  pair.count += weight;
  if (pair.fresh++ == 0) touched_.push_back(index);
  fresh_.push_back({index, position});
}

// Gives the fresh positions of each pair their place and files the pairs by count.
void MergeLearner::file_fresh() {
  for (const uint32_t index : touched_) {
    Pair& pair = pairs_[index];
    const uint64_t begin = positions_.size();
    // A pair has old positions only when its token is made in two ways.
    for (uint32_t i = 0; i < pair.positions_count; ++i)
      positions_.push_back(positions_[pair.positions_begin + i]);
    pair.positions_begin = begin;
    positions_.resize(positions_.size() + pair.fresh);
    if (pair.count >= min_frequency_) queue_.push({pair.count, pair.key, index});
  }
  for (const Occurrence occurrence : fresh_) {
    Pair& pair = pairs_[occurrence.pair];
    positions_[pair.positions_begin + pair.positions_count++] = occurrence.position;
  }
  for (const uint32_t index : touched_) {
    Pair& pair = pairs_[index];
    const auto begin = positions_.begin() + static_cast<std::ptrdiff_t>(pair.positions_begin);
    if (pair.fresh != pair.positions_count) std::sort(begin, begin + pair.positions_count);
    pair.fresh = 0;
  }
  fresh_.clear();
  touched_.clear();
}

// The token spelled like the two together; usually a new one.
TokenId MergeLearner::token_for(TokenId left, TokenId right) {
  std::string_view ending = tokens_[static_cast<size_t>(right)];
  if (ending.starts_with(prefix_)) ending.remove_prefix(prefix_.size());
  std::string spelling = tokens_[static_cast<size_t>(left)] + std::string(ending);
  const uint32_t index = spellings_.add(spelling);
  if (index == tokens_.size()) {
    tokens_.push_back(std::move(spelling));
    lengths_.push_back(0);
  }
  lengths_[index] = length(left) + length(right);
  return static_cast<TokenId>(index);
}

void MergeLearner::merge_at(uint32_t position, TokenId left, TokenId right, TokenId result) {
  if (cells_[position].token != left) return;
  const uint32_t middle = position + length(left), end = middle + length(right);
  if (cells_[middle].token != right) return;
  const int64_t weight = weights_[cells_[position].word];
  const TokenId before = cells_[position - 1].token, after = cells_[end].token;
  cells_[position].token = result;
  cells_[middle].token = kDead;
  cells_[end - 1].token = result;
  if (before != kBoundary) {
    remove(before, left, weight);
    add(before, result, position - length(before), weight);
  }
  if (after != kBoundary) {
    remove(right, after, weight);
    add(result, after, position, weight);
  }
}

void MergeLearner::merge(uint32_t index, TokenId result) {
  const Pair pair = pairs_[index];
  for (uint32_t i = 0; i < pair.positions_count; ++i) {
    merge_at(positions_[pair.positions_begin + i], pair.left(), pair.right(), result);
  }
  pairs_[index].count = 0;
  pairs_[index].positions_count = 0;
  file_fresh();
}

LearnedMerges MergeLearner::learn(int64_t vocab_size, Progress& progress) && {
  LearnedMerges learned;
  while (static_cast<int64_t>(tokens_.size()) < vocab_size && !queue_.empty()) {
    const Candidate best = queue_.top();
    queue_.pop();
    const int64_t count = pairs_[best.pair].count;
    if (count != best.count) {
      if (count >= min_frequency_) queue_.push({count, best.key, best.pair});
      continue;
    }
    const TokenId left = pairs_[best.pair].left(), right = pairs_[best.pair].right();
    const TokenId result = token_for(left, right);
    merge(best.pair, result);
    learned.merges.push_back({left, right, result});
    if (learned.merges.size() % 64 != 0) continue;
    progress.update(static_cast<int64_t>(tokens_.size()));
    throw_if_interrupted();
  }
  progress.update(static_cast<int64_t>(tokens_.size()));
  learned.tokens = std::move(tokens_);
  return learned;
}
}  // namespace

Result<LearnedMerges> learn_merges(const WordCounts& words, MergeStart start, int64_t vocab_size,
                                   int64_t min_frequency, Progress& progress) {
  if (words.words.bytes() + words.words.size() >= UINT32_MAX) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} distinct words of {} bytes together are too many: at most 4 GiB",
                                  words.words.size(), words.words.bytes()),
                      "train on a sample of the corpus");
  }
  return MergeLearner(words, std::move(start), min_frequency).learn(vocab_size, progress);
}

}  // namespace quern::text
