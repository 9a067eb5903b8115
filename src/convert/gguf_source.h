// Any model as the contents of a GGUF file: what is converted to GGUF, and what is quantised.
#pragma once

#include <filesystem>
#include <optional>

#include "formats/gguf/contents.h"
#include "text/gguf_vocabulary.h"

namespace quern::convert {

// `path` is a model folder with its tokenizer, or a GGUF file. Matrices are of `dtype` (floating), or as the model has
// them when it is empty; vectors and positions are f32. Tensors are made when they are asked for. Errors of load_model,
// Tokenizer::load and make_gguf_vocabulary; invalid_argument for what GGUF cannot express.
// `adapter`: a PEFT folder that is merged into the weights; those it changes are f16 where they were in blocks.
Result<formats::GgufContents> open_as_gguf(const std::filesystem::path& path, std::optional<DType> dtype,
                                           const std::filesystem::path& adapter = {});

// The keys tokenizer.ggml.* and the chat template.
void set_vocabulary(formats::GgufMetadata& metadata, text::GgufVocabulary vocabulary);

// What to call a model: "story" of runs/story/model, "smollm2" of smollm2.gguf.
std::string model_name(const std::filesystem::path& path);

// general.file_type of a file whose matrices are all of a floating `dtype`.
uint32_t float_file_type(DType dtype);

}  // namespace quern::convert
