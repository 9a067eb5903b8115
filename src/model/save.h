// From a model to files that other programs open: a Hugging Face folder, or GGUF.
#pragma once

#include <filesystem>

#include "formats/gguf/contents.h"
#include "model/encoder_decoder.h"
#include "model/reward_model.h"

namespace quern::model {

// Writes config.json and the weights, as `dtype`, to `folder` (made when absent). Tokenizer files are the
// caller's. invalid_argument when the config's family cannot express the model; nothing is written then. With
// `progress`, reports the tensors made, and throws `cancelled` between them as throw_if_interrupted() does.
Result<void> save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress = nullptr);
Result<void> save_model(const Encoder& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress = nullptr);
Result<void> save_model(const EncoderDecoder& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress = nullptr);
// Precondition: the decoder of `model` has no language head.
Result<void> save_model(const RewardModel& model, const std::filesystem::path& folder, DType dtype,
                        Progress* progress = nullptr);
// The same in the dtype the config asks for.
Result<void> save_model(const Decoder& model, const std::filesystem::path& folder);

// What a GGUF file of `model` holds: matrices as `dtype` (floating), or as the model has them when it is empty;
// vectors and positions as f32. Metadata but for the tokenizer's. Tensors are made when they are asked for, from the
// weights that the model had at this call. Errors as for save_model.
Result<formats::GgufContents> gguf_contents(const Decoder& model, std::optional<DType> dtype);
// The same of an encoder without its pooler, or without what fills masks, which such files do not have; unsupported for one
// with another head.
Result<formats::GgufContents> gguf_contents(const Encoder& model, std::optional<DType> dtype);
Result<formats::GgufContents> gguf_contents(const EncoderDecoder& model, std::optional<DType> dtype);

}  // namespace quern::model
