// The ends of a SentencePiece pipeline: its normalizer and its decoder.
#pragma once

#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/sentencepiece.h"

namespace quern::text {

// What stands for a space in pieces.
inline constexpr std::string_view kSpaceMark = "\u2581";

// Character map, white space and marks. Errors: corrupt for a broken character map.
Result<std::unique_ptr<Normalizer>> make_sentencepiece_normalizer(const SentencePieceModel& model);
std::unique_ptr<Decoder> make_sentencepiece_decoder(const SentencePieceModel& model);

}  // namespace quern::text
