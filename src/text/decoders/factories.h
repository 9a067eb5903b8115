// The kinds of decoders; decoder.cpp has the table of their names.
#pragma once

#include "text/decoder.h"

namespace quern::text {

using MakeDecoder = Result<std::unique_ptr<Decoder>>(const Fields&);

MakeDecoder make_bpe_decoder, make_byte_fallback_decoder, make_byte_level_decoder, make_ctc_decoder,
    make_fuse_decoder, make_metaspace_decoder, make_replace_decoder, make_strip_decoder,
    make_word_piece_decoder;

// Joins the tokens to one.
void fuse(std::vector<std::string>& tokens);
// Each of `from` in `text` becomes `to`. An empty `from` changes nothing.
void replace_all(std::string& text, std::string_view from, std::string_view to);

}  // namespace quern::text
