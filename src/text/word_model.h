// What all tokenizer models share: pieces are encoded one by one, and words met before are remembered.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/model.h"
#include "text/word_cache.h"

namespace quern::text {

class WordModel : public Model {
 public:
  void encode(std::string_view text, std::span<const Span> pieces, ModelScratch& scratch,
              TokenSink sink) const final;

 protected:
  struct Scratch : ModelScratch {
    WordCache cache;
    std::vector<TokenId> ids;
  };

  // The tokens of one word, which stands at `at` of its text. `scratch` is what make_scratch() gave.
  virtual void encode_word(std::string_view word, uint32_t at, Scratch& scratch, TokenSink sink) const = 0;
  // A character before which a word may be cut where another one stands before it, because no token crosses
  // there; empty when there is none. Then a long text without pre-tokenizer is encoded word by word.
  std::string cut_mark_;
  // Except between these two, which may become one token: what ends before the mark, and what begins with it.
  using Joint = std::pair<std::string, std::string>;
  std::vector<Joint> joints_;

 private:
  bool may_cut(std::string_view word, size_t at) const;
  void encode_piece(std::string_view piece, uint32_t at, Scratch& scratch, TokenSink sink) const;
};

}  // namespace quern::text
