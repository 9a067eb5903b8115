#include "infer/reward.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "autograd/graph.h"
#include "model/load.h"
#include "model/lora.h"

namespace quern::infer {

namespace fs = std::filesystem;

bool is_reward_model(const fs::path& path) {
  if (formats::is_gguf(path)) return false;
  if (formats::is_peft_folder(path)) {
    const Result<formats::PeftFolder> folder = formats::PeftFolder::open(path);
    return folder.ok() && folder->config.scores();
  }
  const Result<model::ModelConfig> config = model::load_config(path);
  return config.ok() && config->scores();
}

Result<LoadedReward> open_reward_model(const fs::path& path, DType compute_dtype) {
  const model::LoadOptions options{.compute_dtype = compute_dtype};
  if (formats::is_peft_folder(path)) {
    QUERN_TRY(const formats::PeftFolder folder, formats::PeftFolder::open(path));
    std::error_code ignored;
    const fs::path base(folder.config.base);
    if (base.empty() || !fs::exists(base, ignored)) {
      return make_error(
          ErrorCode::not_found,
          fmt::format("{}: the base of the adapter, '{}', is not there", path.string(), base.string()),
          "base_model_name_or_path in adapter_config.json says where it is");
    }
    QUERN_TRY(Language language, open_language(base));
    QUERN_TRY(model::RewardModel model, model::load_reward_model(base, options));
    LoadedReward loaded{std::move(language), std::make_shared<model::RewardModel>(std::move(model))};
    QUERN_TRY(nn::LoraAdapter adapter, model::load_lora(*loaded.model, folder));
    loaded.adapter = std::make_shared<const nn::LoraAdapter>(std::move(adapter));
    loaded.model->decoder().set_adapter(loaded.adapter);
    return loaded;
  }
  QUERN_TRY(const model::ModelConfig config, model::load_config(path));
  if (!config.scores()) {
    return make_error(ErrorCode::conflict, fmt::format("{} is no reward model", path.string()),
                      "'quern train' makes one of it: task reward");
  }
  QUERN_TRY(Language language, open_language(path));
  QUERN_TRY(model::RewardModel model, model::load_reward_model(path, options));
  return LoadedReward{std::move(language), std::make_shared<model::RewardModel>(std::move(model))};
}

Result<double> reward_of(const LoadedReward& loaded, std::span<const int32_t> tokens) {
  const model::ModelConfig& config = loaded.model->config();
  const auto count = static_cast<int64_t>(tokens.size());
  if (count == 0 || count > config.max_positions) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the text has {} tokens, and the model reads 1 to {}", count, config.max_positions),
        count == 0 ? "give at least one token of text" : "shorten it");
  }
  for (const int32_t token : tokens) {
    if (token >= 0 && token < config.vocab_size) continue;
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("the text holds token {}, but the vocabulary has {}", token, config.vocab_size),
        "the tokenizer belongs to another model");
  }
  const autograd::NoGrad no_grad;
  const Tensor text = Tensor::from(std::vector<int32_t>(tokens.begin(), tokens.end()), {1, count});
  const Tensor states = loaded.model->decoder().hidden(text, nn::ForwardContext::causal(1, count));
  const Tensor values = loaded.model->values(states);
  return double{values.span<float>()[static_cast<size_t>(loaded.model->place_of_reward(tokens))]};
}

}  // namespace quern::infer
