// Post-processors of tokenizer.json: the special tokens put around an encoded text.
#pragma once

#include <string>
#include <vector>

#include "text/json_fields.h"
#include "text/vocabulary.h"

namespace quern::text {

// Read-only after loading.
struct PostProcessor {
  struct Part {
    int sequence = -1;  // 0: the first text, 1: the second, -1: the ids
    std::vector<TokenId> ids;
    int32_t type_id = 0;  // segment of BERT-like models
  };
  // What a text, and a pair of texts, become.
  std::vector<Part> single, pair;

  // The value of "post_processor". `id_end`: one past the largest id of the tokenizer; ids of the file beyond
  // it are corrupt. Errors: corrupt, unsupported.
  static Result<PostProcessor> load(const Json& component, size_t id_end);
};

}  // namespace quern::text
