#include "text/unigram_learner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <tuple>

#include "base/interrupt.h"
#include "base/threads.h"
#include "text/repeated_substrings.h"
#include "text/unicode.h"
#include "text/unigram.h"
#include "text/unigram_lattice.h"

namespace quern::text {

namespace {
// Pieces expected less often are dropped.
constexpr double kLeastExpected = 0.5;
// Sums over words are made in this many parts, whatever the number of threads.
constexpr int64_t kParts = 16;

// Bernardo's digamma: recurrence up to 7, then the asymptotic series around x - 1/2.
double digamma(double x) {
  double shift = 0;
  for (; x < 7; ++x) shift += 1 / x;
  const double y = x - 0.5, square = 1 / (y * y);
  const double series =
      square * (1. / 24 - square * (7. / 960 - square * (31. / 8064 - square * (127. / 30720))));
  return std::log(y) + series - shift;
}

std::string_view character_at(std::string_view text, size_t at) {
  return text.substr(at, decode_utf8(text.substr(at)).length);
}

struct Word {
  std::string_view text;
  int64_t count;
};

struct Character {
  std::string_view text;
  int64_t count;
};

// Words in order, one after the other, and the characters that must be pieces.
struct Corpus {
  std::string text;  // each word ends with NUL; so does what is left of a character that is not covered
  std::vector<Word> words;            // in `text`
  std::vector<Character> characters;  // most frequent first, then larger code points

  Corpus(const WordCounts& counts, double coverage);

 private:
  void find_characters(double coverage);
};

Corpus::Corpus(const WordCounts& counts, double coverage) {
  std::vector<uint32_t> order(counts.words.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {}, [&](uint32_t i) { return counts.words.at(i); });
  text.reserve(counts.words.bytes() + counts.words.size());
  for (const uint32_t i : order) {
    text += counts.words.at(i);
    text += '\0';
  }
  size_t begin = 0;
  for (const uint32_t i : order) {
    const size_t size = counts.words.at(i).size();
    words.push_back({std::string_view(text).substr(begin, size), counts.counts[i]});
    begin += size + 1;
  }
  find_characters(coverage);
}

void Corpus::find_characters(double coverage) {
  std::map<std::string_view, int64_t> counts;
  int64_t all = 0;
  for (const Word& word : words) {
    for (size_t at = 0; at < word.text.size();) {
      const std::string_view character = character_at(word.text, at);
      counts[character] += word.count;
      all += word.count;
      at += character.size();
    }
  }
  counts.erase(std::string_view("\0", 1));
  for (const auto& [character, count] : counts) characters.push_back({character, count});
  std::ranges::sort(characters, std::greater{},
                    [](const Character& c) { return std::tuple(c.count, c.text); });
  int64_t covered = 0;
  size_t kept = 0;
  while (kept < characters.size() && static_cast<double>(covered) < coverage * static_cast<double>(all))
    covered += characters[kept++].count;
  if (kept == characters.size()) return;
  std::set<std::string> rare;
  for (size_t i = kept; i < characters.size(); ++i) rare.emplace(characters[i].text);
  characters.resize(kept);
  for (const Word& word : words) {
    for (size_t at = 0; at < word.text.size();) {
      const std::string_view character = character_at(word.text, at);
      at += character.size();
      if (rare.contains(std::string(character)))
        std::fill_n(text.begin() + (character.data() - text.data()), character.size(), '\0');
    }
  }
}

class UnigramLearner {
 public:
  UnigramLearner(const WordCounts& words, const UnigramLearning& options)
      : options_(options), corpus_(words, options.character_coverage) {}
  Result<std::vector<ScoredPiece>> learn(Progress& progress);

 private:
  Result<void> plant_seeds();
  void index();
  LatticePieces lattice_pieces() const { return {*trie_, scores_, probabilities_}; }
  void maximise(std::span<const double> expected);
  void prune();
  double loss(size_t piece, UnigramLattice& lattice, std::span<const double> frequencies, double sum) const;
  std::vector<ScoredPiece> choose() const;
  int64_t expected_rounds() const;

  // Sums over all words what `add(lattice, word, sums)` adds for each; one sum per piece.
  template <class Add>
  std::vector<double> sum_over_words(const Add& add) const;

  UnigramLearning options_;
  Corpus corpus_;
  // By index; 0 is unknown. A dropped piece stays until the next index(), with the score -infinity.
  std::vector<std::string_view> pieces_;
  std::vector<double> scores_, probabilities_;
  size_t alive_ = 0;
  std::unique_ptr<ByteTrie> trie_;
};

Result<void> UnigramLearner::plant_seeds() {
  QUERN_TRY(auto substrings, find_repeated_substrings(corpus_.text, options_.max_piece_length));
  const std::string_view text = corpus_.text;
  const auto weight = [&](const RepeatedSubstring& s) {
    return std::tuple(int64_t{s.count} * s.characters, text.substr(s.begin, s.bytes));
  };
  const auto room = static_cast<size_t>(
      std::max<int64_t>(options_.seed_size - static_cast<int64_t>(corpus_.characters.size()), 1));
  const size_t kept = std::min(room, substrings.size());
  std::ranges::partial_sort(substrings, substrings.begin() + static_cast<std::ptrdiff_t>(kept),
                            std::greater{}, weight);
  substrings.resize(kept);
  pieces_ = {{}};
  scores_ = {0};
  double sum = 0;
  const auto add = [&](std::string_view piece, int64_t count) {
    pieces_.push_back(piece);
    scores_.push_back(static_cast<double>(count));
    sum += static_cast<double>(count);
  };
  for (const Character& character : corpus_.characters) add(character.text, character.count);
  for (const RepeatedSubstring& s : substrings) add(text.substr(s.begin, s.bytes), std::get<0>(weight(s)));
  for (double& score : scores_) score = std::log(score) - std::log(sum);
  index();
  return {};
}

// Forgets dropped pieces, and makes the trie of the others.
void UnigramLearner::index() {
  size_t kept = 1;
  for (size_t i = 1; i < pieces_.size(); ++i) {
    if (scores_[i] == -INFINITY) continue;
    pieces_[kept] = pieces_[i];
    scores_[kept++] = scores_[i];
  }
  pieces_.resize(kept);
  scores_.resize(kept);
  alive_ = kept;
  std::vector<ByteTrie::Entry> entries;
  for (size_t i = 1; i < kept; ++i) entries.push_back({pieces_[i], static_cast<int32_t>(i)});
  trie_ = std::make_unique<ByteTrie>(std::move(entries));
  double least = INFINITY;
  for (size_t i = 1; i < kept; ++i) least = std::min(least, scores_[i]);
  scores_[0] = least - kUnknownPenalty;
  probabilities_.resize(kept);
  std::ranges::transform(scores_, probabilities_.begin(), [](double score) { return std::exp(score); });
}

template <class Add>
std::vector<double> UnigramLearner::sum_over_words(const Add& add) const {
  std::vector<std::vector<double>> parts(kParts);
  const LatticePieces lattice_pieces = this->lattice_pieces();
  parallel_for(kParts, 1, [&](int64_t begin, int64_t end) {
    UnigramLattice lattice(lattice_pieces);
    for (int64_t part = begin; part < end; ++part) {
      std::vector<double>& sums = parts[static_cast<size_t>(part)];
      sums.assign(pieces_.size(), 0);
      const auto count = static_cast<int64_t>(corpus_.words.size());
      for (int64_t i = count * part / kParts; i < count * (part + 1) / kParts; ++i) {
        const Word& word = corpus_.words[static_cast<size_t>(i)];
        lattice.fill(word.text);
        add(lattice, word, std::span<double>(sums));
      }
    }
  });
  for (size_t part = 1; part < parts.size(); ++part)
    std::ranges::transform(parts[0], parts[part], parts[0].begin(), std::plus{});
  return std::move(parts[0]);
}

void UnigramLearner::maximise(std::span<const double> expected) {
  double sum = 0, least = INFINITY;
  const auto is_kept = [&](size_t i) { return scores_[i] != -INFINITY && expected[i] >= kLeastExpected; };
  for (size_t i = 1; i < scores_.size(); ++i) {
    if (is_kept(i)) sum += expected[i];
  }
  const double log_sum = digamma(sum);
  alive_ = 1;
  for (size_t i = 1; i < scores_.size(); ++i) {
    scores_[i] = is_kept(i) ? digamma(expected[i]) - log_sum : -INFINITY;
    if (scores_[i] == -INFINITY) continue;
    ++alive_;
    least = std::min(least, scores_[i]);
  }
  scores_[0] = least - kUnknownPenalty;
  std::ranges::transform(scores_, probabilities_.begin(), [](double score) { return std::exp(score); });
}

// What the likelihood of the words loses when each of them that has this piece in its best cut takes the second best
// cut of the piece in its place; infinite when the piece stays, less than any loss when it goes.
double UnigramLearner::loss(size_t piece, UnigramLattice& lattice, std::span<const double> frequencies,
                            double sum) const {
  const double frequency = frequencies[piece];
  const std::string_view text = pieces_[piece];
  if (character_at(text, 0).size() == text.size()) return INFINITY;
  std::vector<int32_t> path;
  lattice.fill(text, static_cast<int32_t>(piece));
  const double score = lattice.find_best(path);
  if (score > scores_[piece]) return frequency == 0 ? -INFINITY : INFINITY;
  if (frequency == 0) return -INFINITY;
  // SentencePiece counts the parts of the cut here; tokenizers counts all pieces, which weighs frequent ones more, and its
  // vocabularies take fewer tokens.
  const double log_sum = std::log(sum + frequency * static_cast<double>(pieces_.size() - 1));
  double alternative = 0;
  for (auto part = path.rbegin(); part != path.rend(); ++part)
    alternative += std::log(frequencies[static_cast<size_t>(*part)] + frequency) - log_sum;
  return frequency * (std::log(frequency) - std::log(sum) - alternative);
}

void UnigramLearner::prune() {
  index();
  const std::vector<double> frequencies =
      sum_over_words([](UnigramLattice& lattice, const Word& word, std::span<double> sums) {
        thread_local std::vector<int32_t> path;
        lattice.find_best(path);
        for (const int32_t piece : path) sums[static_cast<size_t>(piece)] += static_cast<double>(word.count);
      });
  const double sum = std::accumulate(frequencies.begin(), frequencies.end(), 0.0);
  std::vector<double> losses(pieces_.size());
  const LatticePieces lattice_pieces = this->lattice_pieces();
  parallel_for(static_cast<int64_t>(pieces_.size()) - 1, 256, [&](int64_t begin, int64_t end) {
    UnigramLattice lattice(lattice_pieces);
    for (auto i = static_cast<size_t>(begin) + 1; i < static_cast<size_t>(end) + 1; ++i)
      losses[i] = loss(i, lattice, frequencies, sum);
  });
  const auto share = static_cast<size_t>(static_cast<double>(pieces_.size()) * options_.shrinking_factor);
  const size_t wanted = std::max(static_cast<size_t>(options_.vocab_size * 11 / 10), share);
  // Those that stay, in their order, then those with the largest losses.
  std::vector<size_t> order(pieces_.size() - 1);
  std::iota(order.begin(), order.end(), size_t{1});
  std::erase_if(order, [&](size_t i) { return losses[i] == -INFINITY; });
  std::ranges::stable_sort(order, std::greater{}, [&](size_t i) { return losses[i]; });
  const auto staying = static_cast<size_t>(std::ranges::count(losses, INFINITY));
  order.resize(std::min(order.size(), std::max(wanted - 1, staying)));
  std::vector<std::string_view> pieces = {pieces_[0]};
  std::vector<double> scores = {scores_[0]};
  for (const size_t i : order) {
    pieces.push_back(pieces_[i]);
    scores.push_back(scores_[i]);
  }
  pieces_ = std::move(pieces);
  scores_ = std::move(scores);
  index();
}

// The characters, then the pieces that were worth most at the last pruning; those that were too rare for a score get
// one below all others.
std::vector<ScoredPiece> UnigramLearner::choose() const {
  constexpr double kStep = 0.0001;
  std::map<std::string_view, double> scores;
  double least = INFINITY;
  for (size_t i = 1; i < pieces_.size(); ++i) {
    if (scores_[i] == -INFINITY) continue;
    scores.emplace(pieces_[i], scores_[i]);
    least = std::min(least, scores_[i]);
  }
  const int64_t room = options_.vocab_size - options_.reserved;
  std::vector<ScoredPiece> chosen;
  std::set<std::string_view> required;
  for (const Character& character : corpus_.characters) required.insert(character.text);
  for (const std::string_view character : required) {
    const auto known = scores.find(character);
    chosen.push_back({std::string(character), known != scores.end() ? known->second : least});
    if (known == scores.end()) least += kStep;
  }
  for (size_t i = 1; i < pieces_.size() && static_cast<int64_t>(chosen.size()) < room; ++i) {
    if (scores_[i] == -INFINITY || required.contains(pieces_[i])) continue;
    chosen.push_back({std::string(pieces_[i]), scores_[i]});
  }
  std::ranges::stable_sort(chosen, std::greater{}, &ScoredPiece::score);
  return chosen;
}

int64_t UnigramLearner::expected_rounds() const {
  const double shrinking =
      static_cast<double>(options_.vocab_size) * 1.1 / static_cast<double>(pieces_.size());
  return 1 + std::max<int64_t>(0, static_cast<int64_t>(
                                      std::ceil(std::log(shrinking) / std::log(options_.shrinking_factor))));
}

Result<std::vector<ScoredPiece>> UnigramLearner::learn(Progress& progress) {
  const auto characters = static_cast<int64_t>(corpus_.characters.size());
  const int64_t room = options_.vocab_size - options_.reserved;
  if (characters > room) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the text has {} different characters, but there is room for {} pieces",
                                  characters, room),
                      "use a larger vocabulary, or a character coverage of 0.9995");
  }
  {
    const ProgressScope scope(progress, "find substrings", static_cast<int64_t>(corpus_.text.size()),
                              "bytes");
    QUERN_CHECK(plant_seeds());
    progress.update(static_cast<int64_t>(corpus_.text.size()));
  }
  const ProgressScope scope(progress, "learn pieces", expected_rounds(), "rounds");
  for (int64_t round = 1;; ++round) {
    for (int32_t i = 0; i < options_.n_sub_iterations; ++i) {
      throw_if_interrupted();
      maximise(sum_over_words([](UnigramLattice& lattice, const Word& word, std::span<double> sums) {
        lattice.add_expected(static_cast<double>(word.count), sums);
      }));
    }
    progress.update(round);
    throw_if_interrupted();
    const size_t before = alive_;
    if (static_cast<int64_t>(before) <= options_.vocab_size * 11 / 10) break;
    prune();
    if (alive_ == before) break;  // what is left cannot go
  }
  return choose();
}
}  // namespace

Result<std::vector<ScoredPiece>> learn_unigram(const WordCounts& words, const UnigramLearning& options,
                                               Progress& progress) {
  return UnigramLearner(words, options).learn(progress);
}

}  // namespace quern::text
