// WordLevel: every piece is one token, or unknown.
#pragma once

#include "text/word_model.h"

namespace quern::text {

class WordLevel : public WordModel {
 public:
  WordLevel(Vocabulary vocabulary, std::string unk_token)
      : vocabulary_(std::move(vocabulary)),
        unk_token_(std::move(unk_token)),
        unk_(vocabulary_.find_token(unk_token_)) {}

  std::string_view type() const override { return "WordLevel"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  TokenId unknown_token() const override { return unk_; }
  std::unique_ptr<ModelScratch> make_scratch() const override { return std::make_unique<Scratch>(); }
  std::string to_json() const override;

 private:
  // Throws Exception(invalid_argument) when a word is unknown and there is no unk_token in the vocabulary.
  void encode_word(std::string_view word, uint32_t at, Scratch& scratch, TokenSink sink) const override;

  Vocabulary vocabulary_;
  std::string unk_token_;
  TokenId unk_;
};

}  // namespace quern::text
