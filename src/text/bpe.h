// Byte-pair encoding (Sennrich et al., "Neural machine translation of rare words with subword units", 2016)
// as tokenizer.json defines it: symbols of a piece are joined by the merge of lowest rank, leftmost first.
#pragma once

#include <atomic>
#include <optional>

#include "text/merge_table.h"
#include "text/word_model.h"

namespace quern::text {

struct BpeOptions {
  std::optional<std::string> unk_token = std::nullopt;
  std::string continuing_subword_prefix = "";  // empty: none; both in the file's spelling
  std::string end_of_word_suffix = "";
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
};

class Bpe : public WordModel {
 public:
  using MergeRule = text::MergeRule;
  // `merges` in rank order. Errors: corrupt when unk_token is not in the vocabulary.
  static Result<std::unique_ptr<Bpe>> create(Vocabulary vocabulary, std::vector<MergeRule> merges,
                                             BpeOptions options);

  // As SentencePiece has it: two tokens join wherever a token is spelled like both together. `ranks`, by id, are those
  // tokens' (lower first, equal ones go leftmost first), or Merge::kNever for tokens that are in no merge. Nothing is
  // made of the merges until to_json() lists them: large vocabularies have three times as many as tokens.
  static Result<std::unique_ptr<Bpe>> create_by_spelling(Vocabulary vocabulary, std::vector<uint32_t> ranks,
                                                         BpeOptions options);

  std::string_view type() const override { return "BPE"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  TokenId unknown_token() const override { return unk_; }
  std::unique_ptr<ModelScratch> make_scratch() const override;
  std::string to_json() const override;

 private:
  struct Symbol {
    TokenId id;
    uint32_t length;  // bytes of the piece it covers
    Merge merge;      // with the next symbol
  };
  struct SymbolScratch;

  Bpe(Vocabulary vocabulary, std::vector<MergeRule> merges, std::vector<uint32_t> ranks, BpeOptions options);
  static Result<std::unique_ptr<Bpe>> create(Vocabulary vocabulary, std::vector<MergeRule> merges,
                                             std::vector<uint32_t> ranks, BpeOptions options);
  void encode_word(std::string_view word, uint32_t at, Scratch& scratch, TokenSink sink) const override;
  TokenId whole_word(std::string_view word, std::vector<Symbol>& symbols) const;
  void find_cuts(std::string_view mark);
  // Whether the token joins others by its spelling.
  bool joins(TokenId id) const { return id != kNoToken && ranks_[static_cast<size_t>(id)] != Merge::kNever; }
  Merge find_merge(TokenId left, TokenId right) const {
    return ranks_.empty() ? table_.find(left, right) : find_by_spelling(left, right);
  }
  Merge find_by_spelling(TokenId left, TokenId right) const;
  std::vector<MergeRule> merges_by_spelling() const;
  void tokenize(std::string_view word, std::vector<Symbol>& symbols) const;
  void add_initial_symbols(std::string_view word, std::vector<Symbol>& symbols) const;
  bool add_fallback_bytes(std::string_view unit, std::vector<Symbol>& symbols) const;
  void merge_short(std::vector<Symbol>& symbols) const;
  void merge_long(std::vector<Symbol>& symbols) const;

  Vocabulary vocabulary_;
  std::vector<MergeRule> merges_;
  MergeTable table_;
  std::vector<uint32_t> ranks_;  // of create_by_spelling
  size_t longest_ = 0;           // bytes of a token that has a rank
  BpeOptions options_;
  std::string prefix_, suffix_;  // as bytes the vocabulary matches
  TokenId unk_ = kNoToken;
  std::array<TokenId, 256> byte_tokens_;   // <0x00>.. for byte_fallback
  std::array<TokenId, 256> single_bytes_;  // token of each one-byte string
  // Whether the merges rebuild a token from its own bytes: 0 not known yet, 1 yes, 2 no.
  mutable std::vector<std::atomic<uint8_t>> rebuilds_;
};

}  // namespace quern::text
