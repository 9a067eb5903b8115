// WordPiece (Schuster and Nakajima, "Japanese and Korean voice search", 2012) as BERT uses it: a word is cut greedily
// into the longest tokens, of which all but the first are written with a prefix.
#pragma once

#include "text/byte_trie.h"
#include "text/word_model.h"

namespace quern::text {

struct WordPieceOptions {
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";
  uint32_t max_input_chars_per_word = 100;  // longer words are unknown
};

class WordPiece : public WordModel {
 public:
  WordPiece(Vocabulary vocabulary, WordPieceOptions options);

  std::string_view type() const override { return "WordPiece"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  TokenId unknown_token() const override { return unk_; }
  std::unique_ptr<ModelScratch> make_scratch() const override { return std::make_unique<Scratch>(); }
  std::string to_json() const override;

 private:
  // Throws Exception(invalid_argument) when a word is unknown and there is no unk_token in the vocabulary.
  void encode_word(std::string_view word, uint32_t at, Scratch& scratch, TokenSink sink) const override;

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  ByteTrie trie_;
  uint32_t continuing_;  // node after the prefix
  TokenId unk_;
};

}  // namespace quern::text
