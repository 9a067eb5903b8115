// The kinds of normalizers, one file each; normalizer.cpp has the table of their names.
#pragma once

#include "text/normalizer.h"

namespace quern::text {

using MakeNormalizer = Result<std::unique_ptr<Normalizer>>(const Fields&);

MakeNormalizer make_bert_normalizer, make_byte_level_normalizer, make_lowercase, make_nmt, make_precompiled,
    make_prepend, make_replace, make_strip, make_strip_accents;
MakeNormalizer make_nfc, make_nfd, make_nfkc, make_nfkd;

}  // namespace quern::text
