// Unicode normalisation of a segment, for NFC, NFD, NFKC, NFKD and what builds on them.
#pragma once

#include "text/segment.h"
#include "text/unicode.h"

namespace quern::text {

void apply_normal_form(Segment& segment, NormalForm form);

}  // namespace quern::text
