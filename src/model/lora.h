// LoRA adapters of a model: made, read from PEFT folders, written to them, and merged into the weights.
#pragma once

#include <filesystem>
#include <optional>

#include "formats/peft.h"
#include "model/reward_model.h"
#include "nn/lora.h"

namespace quern::model {

// All linear maps inside the blocks, as PEFT calls them.
inline constexpr std::string_view kAllLinear = "all-linear";

// A new adapter of `model`, the model that `config` describes: of the modules that settings.targets name by the ends of
// their paths, or all for kAllLinear; and of the tokens settings.token_rows[""] rows of its own, in the embeddings and in the
// head. In f32, trainable, with first values from `seed`: it changes nothing yet. invalid_argument
// for a target that names nothing, with what there is, and for tokens that the model has not. The model must outlive the adapter and stay where it is.
Result<nn::LoraAdapter> make_lora(const nn::Module& model, const ModelConfig& config,
                                  const formats::PeftConfig& settings, uint64_t seed);

// An adapter from a PEFT folder, frozen, in f32. Errors of PeftFolder::open; conflict, with what was expected and what
// came, where it is one of another model; unsupported for tensors that are no LoRA of linear maps.
Result<nn::LoraAdapter> load_lora(const nn::Module& model, const ModelConfig& config,
                                  const formats::PeftFolder& folder);
// The same of an adapter of a reward model, which load_lora refuses with conflict: gives its score to `model`, whose
// decoder it is for. conflict for one of a model that writes.
Result<nn::LoraAdapter> load_lora(RewardModel& model, const formats::PeftFolder& folder);

// Writes a PEFT folder that load_lora and PEFT read; f32.
Result<void> save_lora(const nn::LoraAdapter& adapter, const ModelConfig& config,
                       const formats::PeftConfig& settings, const std::filesystem::path& folder);
// The same with the score of a reward model.
Result<void> save_lora(const nn::LoraAdapter& adapter, const RewardModel& model, formats::PeftConfig settings,
                       const std::filesystem::path& folder);

// Adds the adapter to the weights of `model`, whose adapter it is. Those that change become `dtype`; empty: they keep theirs, but for
// those in blocks, which become f16.
void merge_lora(nn::Module& model, const nn::LoraAdapter& adapter, std::optional<DType> dtype = {});

}  // namespace quern::model
