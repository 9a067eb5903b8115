// Reading the document tokenizer.json: the large tables of the model go straight into their structures,
// everything else is kept as it stands for the component readers and for saving.
#pragma once

#include <string_view>

#include "text/pipeline.h"

namespace quern::text {

// Errors: corrupt (not JSON, wrong fields, duplicate or impossible ids, merges that name missing tokens),
// unsupported (another version, or a component that it names).
Result<Pipeline> read_tokenizer_json(std::string_view json);
// Makes every part of `pipeline` but its model from its document. Precondition: the model is there.
Result<void> make_components(Pipeline& pipeline);

}  // namespace quern::text
