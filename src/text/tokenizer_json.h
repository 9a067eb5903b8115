// Reading the document tokenizer.json: the large tables of the model go straight into their structures,
// everything else is kept as it stands for the component readers and for saving.
#pragma once

#include <memory>
#include <string_view>

#include "text/json_fields.h"
#include "text/model.h"
#include "text/pre_tokenizer.h"

namespace quern::text {

struct TokenizerDocument {
  Json rest;  // the whole document in its order, with "model" null
  PreTokenizers pre_tokenizers;
  std::unique_ptr<Model> model;
};

// Errors: corrupt (not JSON, wrong fields, duplicate or impossible ids, merges that name missing tokens),
// unsupported (another version or model type).
Result<TokenizerDocument> read_tokenizer_json(std::string_view json);

}  // namespace quern::text
