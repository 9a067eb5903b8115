// Post-processors of tokenizer.json: the special tokens put around an encoded text.
#pragma once

#include <string>
#include <vector>

#include "text/json_fields.h"
#include "text/vocabulary.h"

namespace quern::text {

// Read-only after loading. An empty single template stands for "the text alone".
struct PostProcessor {
  struct Part {
    int sequence = -1;  // 0: the first text, 1: the second, -1: the ids
    std::vector<TokenId> ids;
  };
  std::vector<Part> single, pair;

  // The value of "post_processor": null, ByteLevel, TemplateProcessing or a Sequence of them.
  // `id_end`: one past the largest id of the tokenizer; ids of the file beyond it are corrupt.
  static Result<PostProcessor> load(const Json& component, size_t id_end);
};

}  // namespace quern::text
