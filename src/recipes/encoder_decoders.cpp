#include "recipes/encoder_decoders.h"

#include "model/load.h"

namespace quern::recipes {

void hold_logit_bias(model::EncoderDecoder& model) {
  model.visit([](const std::string& name, nn::Parameter& parameter) {
    if (name == "decoder.head.bias") parameter.set_trainable(false);
  });
}

Result<model::EncoderDecoder> open_encoder_decoder(const std::filesystem::path& path, DType compute_dtype) {
  QUERN_TRY(model::EncoderDecoder model,
            model::load_encoder_decoder(path, {.trainable = true, .compute_dtype = compute_dtype}));
  hold_logit_bias(model);
  return model;
}

}  // namespace quern::recipes
