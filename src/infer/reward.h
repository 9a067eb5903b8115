// A reward model opened for use: what it says texts are worth.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "infer/language.h"
#include "model/reward_model.h"
#include "nn/lora.h"

namespace quern::infer {

// Not thread-safe.
struct LoadedReward : Language {
  std::shared_ptr<model::RewardModel> model;
  std::shared_ptr<const nn::LoraAdapter> adapter = {};  // the decoder's, if there is one
};

// Whether `path` is a reward model: a folder of a class ForSequenceClassification of a decoder, or an adapter of one.
bool is_reward_model(const std::filesystem::path& path);

// The folder of a reward model, or of its adapter, whose base is what adapter_config.json names. Errors of
// load_reward_model, load_adapter and open_language; conflict for a model that writes.
Result<LoadedReward> open_reward_model(const std::filesystem::path& path, DType compute_dtype);

// What the text is worth. invalid_argument, with the numbers, when it is empty, longer than the model reads, or holds a token
// outside the vocabulary.
Result<double> reward_of(const LoadedReward& loaded, std::span<const int32_t> tokens);

}  // namespace quern::infer
