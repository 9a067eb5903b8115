#include "model/structure.h"

#include "model/encoder_decoder.h"
#include "model/reward_model.h"

namespace quern::model {

Result<std::unique_ptr<nn::Module>> make_structure(const ModelConfig& config) {
  if (config.kind == Kind::encoder) {
    QUERN_TRY(Encoder model, Encoder::create(config));
    return std::unique_ptr<nn::Module>(std::make_unique<Encoder>(std::move(model)));
  }
  if (config.kind == Kind::encoder_decoder) {
    QUERN_TRY(EncoderDecoder model, EncoderDecoder::create(config));
    return std::unique_ptr<nn::Module>(std::make_unique<EncoderDecoder>(std::move(model)));
  }
  if (config.scores()) {
    QUERN_TRY(RewardModel model, RewardModel::create(config));
    return std::unique_ptr<nn::Module>(std::make_unique<RewardModel>(std::move(model)));
  }
  QUERN_TRY(Decoder model, Decoder::create(config));
  return std::unique_ptr<nn::Module>(std::make_unique<Decoder>(std::move(model)));
}

}  // namespace quern::model
