// SentencePiece models (Kudo and Richardson, 2018): tokenizer.model files, and vocabularies of that kind from other
// files.
//
// With EncodeOptions::allow_special off, ids and texts are those of the sentencepiece library for valid UTF-8, both
// ways. With it on, control symbols such as <s> in the text are read as such, which the library never does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace quern::text {

enum class PieceType : uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

struct Piece {
  std::string text;
  float score = 0;
  PieceType type = PieceType::normal;
};

struct SentencePieceModel {
  enum class Kind { unigram = 1, bpe = 2 };
  Kind kind = Kind::unigram;
  std::vector<Piece> pieces;  // by id
  bool byte_fallback = false;
  std::string unk_surface = " \u2047 ";  // what <unk> decodes to
  // Roles: ids, or -1.
  TokenId bos = 1, eos = 2, pad = -1;
  // The normalizer.
  std::string charsmap;  // see charsmap.h; empty: none
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool whitespace_as_suffix = false;

  // The bytes of a tokenizer.model file. Errors: corrupt (what is wrong), unsupported (word and character models,
  // denormalizers).
  static Result<SentencePieceModel> parse(std::string_view bytes);
};

// The byte that a piece "<0xXX>" stands for; nothing for any other text ("<0x-1>" is six letters long, too).
std::optional<uint8_t> byte_of_piece(std::string_view piece);

// Errors: corrupt (no or several unknown pieces, empty or repeated pieces, missing bytes, byte pieces of no byte, a broken character map),
// unsupported (unused pieces in a BPE model). What to_json() of the tokenizer gives is the nearest that
// tokenizer.json can say.
Result<Tokenizer> make_tokenizer(const SentencePieceModel& model);
Result<Pipeline> make_pipeline(const SentencePieceModel& model);

}  // namespace quern::text
