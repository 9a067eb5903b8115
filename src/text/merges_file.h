// Byte-level BPE in two files, vocab.json ({token: id}) and merges.txt (a merge a line), as GPT-2, OPT, RoBERTa, BART and
// Qwen2 were published before tokenizer.json.
#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer.h"
#include "text/tokenizer_companions.h"

namespace quern::text {

// Pieces, special tokens and what stands around texts follow the family that the companions name, as transformers'
// converters have it; when they name none, the vocabulary must be GPT-2's (it has <|endoftext|>). Errors: corrupt,
// unsupported (another family, or none).
Result<Tokenizer> read_vocabulary_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                             TokenizerCompanions companions);

}  // namespace quern::text
