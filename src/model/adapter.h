// Adapters of a model, of any method: made, read from PEFT folders (AdapterHub's, of bottlenecks) and written to them.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "formats/peft.h"
#include "model/decoder.h"

namespace quern::model {

// A new adapter of settings.method, in f32, trainable. LoRA and bottlenecks: as make_lora and make_bottleneck. Virtual tokens:
// first what `text` is to the model, their embeddings or their keys and values, again from its start where it is shorter, or
// cut; without a text, random tokens of the vocabulary by `seed`. invalid_argument where virtual tokens leave no room in the context. The model must outlive the
// adapter and stay where it is, and have no other now.
Result<std::unique_ptr<nn::Adapter>> make_adapter(const Decoder& model, const formats::PeftConfig& settings,
                                                  std::span<const int32_t> text, uint64_t seed);

// An adapter from a PEFT folder, frozen, in f32. Errors of load_lora, load_bottleneck, load_prompt and load_prefix.
Result<std::unique_ptr<nn::Adapter>> load_adapter(const Decoder& model, const formats::PeftFolder& folder);

// Writes a PEFT folder that load_adapter and PEFT read; f32. Where it is not `final` it also holds what training goes on from,
// of a prefix with a projection: load_adapter gives that back, and PEFT leaves it alone.
Result<void> save_adapter(const nn::Adapter& adapter, const ModelConfig& config,
                          const formats::PeftConfig& settings, const std::filesystem::path& folder,
                          bool final = true);

}  // namespace quern::model
