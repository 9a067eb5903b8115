// A SentencePiece model in the folder of a model, whose family adds tokens, or numbers pieces in its own way.
#pragma once

#include "text/sentencepiece.h"
#include "text/tokenizer_companions.h"

namespace quern::text {

// What make_tokenizer gives, with the family's ids, special tokens and what stands around texts, as transformers'
// converters have them. The family is nobody's when the companions name none: the model is taken as it is. Errors: those of
// make_tokenizer; unsupported for a family that is not known, and for options of a family that are not.
Result<Tokenizer> make_tokenizer(SentencePieceModel model, TokenizerCompanions companions);

}  // namespace quern::text
