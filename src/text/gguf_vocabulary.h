// Tokenizers from the vocabulary that a GGUF file carries (keys tokenizer.ggml.*). Whoever reads the file fills the
// struct; this folder knows nothing of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace quern::text {

struct GgufVocabulary {
  std::string model = "";                // "llama", "gpt2", "bert", "t5"
  std::string pre = "";                  // names the split pattern of "gpt2"
  std::vector<std::string> tokens = {};  // by id
  std::vector<float> scores = {};        // empty, or one per token
  std::vector<int32_t> types = {};       // empty, or one per token: see PieceType
  std::vector<std::string> merges = {};  // "a b"
  std::optional<TokenId> bos = {}, eos = {}, unk = {}, sep = {}, pad = {}, cls = {}, mask = {};
  std::optional<bool> add_bos = {}, add_eos = {}, add_sep = {}, add_space_prefix = {};
  std::optional<bool> remove_extra_whitespaces = {};
  std::optional<bool> lowercase = {}, strip_accents = {};  // of "bert"; both unless the file says otherwise
  std::string precompiled_charsmap = "";
  std::string chat_template = "";
  // More tokens that are control tokens, whatever their types say: files exist whose end of turn is ordinary.
  std::vector<TokenId> controls = {};
};

// Errors: corrupt (lists of different lengths, ids outside the vocabulary, merges of missing tokens), unsupported
// (another model or an unknown `pre`: names the known ones).
Result<Tokenizer> make_tokenizer(const GgufVocabulary& vocabulary);

// The vocabulary that a GGUF file of a model with `rows` token embeddings carries for `tokenizer`; ids that no token
// has become unused "[PAD7]". unsupported names the component of tokenizer.json that such files cannot express: they
// know split patterns by name, BPE models of bytes or of SentencePiece, WordPiece with BERT's rules, and unigram models
// with those of SentencePiece.
Result<GgufVocabulary> make_gguf_vocabulary(const Tokenizer& tokenizer, int64_t rows);

}  // namespace quern::text
