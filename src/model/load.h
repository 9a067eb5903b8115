// From a Hugging Face folder (config.json, *.safetensors) or a GGUF file to a model.
#pragma once

#include <filesystem>
#include <optional>

#include "formats/checkpoint.h"
#include "formats/gguf/archive.h"
#include "model/encoder_decoder.h"
#include "model/new_head.h"
#include "model/reward_model.h"

namespace quern::model {

struct LoadOptions {
  // Masters in f32 that train. Otherwise weights keep the dtype of the file and lie in the mapped file where
  // its layout allows, so a model starts without reading all of it.
  bool trainable = false;
  // Of activations (see Decoder::set_compute_dtype).
  DType compute_dtype = DType::f32;
  // Matrices of the layers become NF4 as they are loaded (hold_in_nf4), rounded to the dtype of the model. Not with
  // `trainable`.
  bool four_bit = false;
  // Lays out block-quantised matrices for fast products (see Decoder::pack) and lets go of their mapped bytes.
  bool pack = false;
  // A PEFT folder that is merged into the weights; empty: none.
  std::filesystem::path adapter = {};
  std::optional<DType> merged_dtype = {};  // of weights that it changes; empty: as merge_adapter has it
};

// Of the config.json of a folder, or the metadata of a GGUF file. not_found, corrupt, invalid_argument, or
// unsupported for an unknown model_type or architecture.
Result<ModelConfig> load_config(const std::filesystem::path& path);

// `path` is a folder or a GGUF file, any one of a split model. Errors of load_config and load_adapter, conflict for a model of another
// kind, and of weights that do not fit the config: names tensors that are missing, unexpected or of another shape, with
// expected and got.
Result<Decoder> load_model(const std::filesystem::path& path, const LoadOptions& options = {});
// The same of a reward model, a folder of a class ForSequenceClassification with one label; or of any decoder, which then
// loses its language head and begins with a score of 0, which prefers nothing. unsupported for a classifier of several
// labels. options.adapter must be empty.
Result<RewardModel> load_reward_model(const std::filesystem::path& path, const LoadOptions& options = {});
// The same of an encoder. Weights of heads that its class has not are left out with a warning; an encoder
// without a head may lack its pooler, and then has none.
Result<Encoder> load_encoder(const std::filesystem::path& path, const LoadOptions& options = {});
// The same with `head` in place of the head that the files are of. Its outputs are kept where they are of this head and
// these labels, and the dense layer before them where the family has the same for both; all else of it begins anew, as a new
// model would: `made` receives the names of these parameters. An encoder without a head has a pooler only where the files do.
Result<Encoder> load_encoder(const std::filesystem::path& path, const NewHead& head,
                             const LoadOptions& options, std::vector<std::string>& made);
// The same of an encoder-decoder. Whether the output projection of a folder is the table of embeddings follows from the
// weights, as in transformers: a projection that differs from the table stands.
Result<EncoderDecoder> load_encoder_decoder(const std::filesystem::path& path,
                                            const LoadOptions& options = {});

// Assigns `archive` to the parameters of `model`, the model that `config` describes, through its family's tensor names.
Result<void> load_weights(nn::Module& model, const ModelConfig& config, const formats::Checkpoint& checkpoint,
                          bool trainable);
Result<void> load_weights(nn::Module& model, const ModelConfig& config, const formats::GgufArchive& archive,
                          bool trainable);

}  // namespace quern::model
