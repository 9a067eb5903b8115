// The unigram language model (Kudo, "Subword regularization", 2018): of all ways to cut a piece into tokens the one
// whose scores (log probabilities) have the largest sum, found by Viterbi over a trie of the tokens.
#pragma once

#include <array>
#include <vector>

#include "text/byte_trie.h"
#include "text/word_model.h"

namespace quern::text {

// An unknown character costs this much more than the least likely piece, in log probability.
inline constexpr double kUnknownPenalty = 10;

struct UnigramOptions {
  TokenId unk = kNoToken;
  bool byte_fallback = false;  // what is unknown becomes <0xXX> tokens, if all of them exist
  // As SentencePiece itself computes: sums in single precision, and a run of unknown characters is looked up
  // by nobody. Otherwise as Hugging Face tokenizers does.
  bool as_sentencepiece = false;
  // Score of an unknown character; by default 10 below the lowest score.
  std::optional<double> unk_score = std::nullopt;
};

class Unigram : public WordModel {
 public:
  // `scores` by id. Tokens with the score kNeverChosen are in no path. Errors: corrupt for scores that are no
  // numbers or an unk outside the vocabulary.
  static constexpr double kNeverChosen = -1e300;
  static Result<std::unique_ptr<Unigram>> create(Vocabulary vocabulary, std::vector<double> scores,
                                                 UnigramOptions options);

  std::string_view type() const override { return "Unigram"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  TokenId unknown_token() const override { return options_.unk; }
  std::unique_ptr<ModelScratch> make_scratch() const override;
  std::string to_json() const override;
  const std::vector<double>& scores() const { return scores_; }

 private:
  struct LatticeScratch;
  struct Step {  // the best path to a position ends with this token
    double score;
    TokenId id;
    uint32_t begin;
  };
  static constexpr uint32_t kUnreached = UINT32_MAX;

  Unigram(Vocabulary vocabulary, std::vector<double> scores, UnigramOptions options);
  // Throws Exception(invalid_argument) when a character is unknown and there is no unk.
  void encode_word(std::string_view word, uint32_t at, Scratch& scratch, TokenSink sink) const override;
  void find_best_steps(std::string_view word, std::vector<Step>& steps) const;
  void add_unknown(std::string_view word, Span unknown, uint32_t at, TokenSink sink) const;

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  UnigramOptions options_;
  std::vector<double> weights_;  // the scores, rounded as tokenizers reads them
  double unk_score_;
  ByteTrie trie_;
  std::array<TokenId, 256> byte_tokens_;
};

}  // namespace quern::text
