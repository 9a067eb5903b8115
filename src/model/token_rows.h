// Rows that adapters have of their own in the tables of a model: made, read from PEFT folders and written to them.
#pragma once

#include <vector>

#include "formats/peft.h"
#include "model/config.h"
#include "nn/lora.h"

namespace quern::model {

// Adds rows of the tokens settings.token_rows[""], with the values that they have in the embeddings of `model`, and in its head
// where that is a table of its own. invalid_argument for tokens outside the vocabulary, and for the same twice.
Result<void> make_token_rows(nn::LoraAdapter& adapter, const nn::Module& model, const ModelConfig& config,
                             const formats::PeftConfig& settings);

// Adds those of a folder. conflict, with what was expected and what came, where they are of another model.
Result<void> load_token_rows(nn::LoraAdapter& adapter, const nn::Module& model, const ModelConfig& config,
                             const formats::PeftFolder& folder);

std::vector<formats::NamedTensor> token_row_tensors(const nn::LoraAdapter& adapter);
// As PEFT names them: a list where they are of the embeddings alone, which the head may be tied to.
std::map<std::string, std::vector<int32_t>> token_row_ids(const nn::LoraAdapter& adapter);

}  // namespace quern::model
