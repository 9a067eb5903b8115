#include "model/reward_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/cast.h"
#include "ops/linear.h"
#include "ops/reshape.h"

namespace quern::model {

Result<RewardModel> RewardModel::create(const ModelConfig& config) {
  if (config.head_outputs() != 1) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("a classifier of {} labels: expected 1, which is the reward of a text",
                                  config.head_outputs()),
                      "of decoders, only reward models are known here");
  }
  QUERN_TRY(Decoder decoder, Decoder::create(config));
  RewardModel model(std::make_shared<Decoder>(std::move(decoder)));
  return model;
}

RewardModel::RewardModel(std::shared_ptr<Decoder> decoder)
    : decoder_(std::move(decoder)),
      score_(Shape{1, decoder_->config().embedding_size}, nn::Init{}),
      pad_(static_cast<int32_t>(decoder_->config().scoring().pad_token)) {
  score_.assign(Tensor::zeros(score_.shape()));
}

void RewardModel::visit(const nn::Visitor& visitor, const std::string& prefix) {
  decoder_->visit(visitor, prefix);
  visitor(prefix + std::string(kScoreName), score_);
}

Tensor RewardModel::values(const Tensor& states) const {
  const int64_t rows = states.shape().rows();
  const DType wide = wide_of(states.dtype());
  const Tensor x = ops::cast(ops::reshape(states, {rows, states.dim(-1)}), wide);
  // The master: a score in 16 bits would round what pairs differ by.
  return ops::reshape(ops::linear(x, ops::cast(score_.master(), wide)), {rows});
}

int64_t RewardModel::place_of_reward(std::span<const int32_t> tokens) const {
  auto place = static_cast<int64_t>(tokens.size()) - 1;
  while (place > 0 && tokens[static_cast<size_t>(place)] == pad_) --place;
  return std::max<int64_t>(place, 0);
}

}  // namespace quern::model
