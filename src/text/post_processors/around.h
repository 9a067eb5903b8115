// The texts of one input with what stands around them so far, and the processors that add to it.
#pragma once

#include "text/post_processor.h"

namespace quern::text {

struct Surrounded {
  // One list for a single text; for a pair one for each text.
  using Texts = std::vector<std::vector<PostProcessor::Part>>;
  Texts single, pair;
  // A template has joined the texts: nothing can stand around each of them any more.
  bool joined = false;
};

// Adds what one component puts around the texts.
using AddSurroundings = Result<void>(const Fields&, size_t id_end, Surrounded&);

AddSurroundings add_bert_processing, add_roberta_processing, add_template, add_no_surroundings;

// An id of the file. Errors: corrupt when there is no such token.
Result<TokenId> read_special_id(const Json& id, size_t id_end);

}  // namespace quern::text
