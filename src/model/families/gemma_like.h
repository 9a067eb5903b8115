// What Gemma 1, 2 and 3 share: norms that hold w - 1, scaled embeddings, GeGLU, a tied head.
#pragma once

#include "model/families/llama_like.h"

namespace quern::model {

ModelConfig gemma_defaults(std::string family);

// read_llama() and write_llama() with the keys of Gemma 2 and 3, their scale of attention, soft limits and
// windows. Of a config without layer_types, layers for which `full` is true have no window.
void read_gemma(ConfigReader& reader, ModelConfig& config, const std::function<bool(int64_t layer)>& full);
nlohmann::ordered_json write_gemma(const ModelConfig& config);

// GGUF files hold norm weights with the 1 added.
void imply_norms(ModelConfig& config);
// As well: one of `period` layers has no window, and models of `largest` layers scale attention by the width of
// the model, as their keys do not say.
void imply_gemma(ModelConfig& config, int64_t period, int64_t largest);

// Of the four norms of a block in Gemma 2 and 3.
std::vector<TensorName> gemma_tensors(const ModelConfig& config);

}  // namespace quern::model
