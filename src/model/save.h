// From a model to files that other programs open: a Hugging Face folder, or GGUF.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

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
// The same with the matrices of the layers in NF4 with double quantisation, as bitsandbytes packs and transformers reads them
// (load_in_4bit). Those whose rows are no whole blocks of 64 stay in `dtype`, and the config names them. `made`, when given,
// is told of each: its name in the file, what it was, and NF4. Errors also of quant::quantize_nf4; unsupported for mixtures
// of experts.
using MadeFourBit = std::function<void(const std::string& name, const Tensor& exact, const Tensor& coded)>;
Result<void> save_model_in_nf4(const Decoder& model, const std::filesystem::path& folder, DType dtype,
                               Progress* progress = nullptr, const MadeFourBit& made = {});
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
