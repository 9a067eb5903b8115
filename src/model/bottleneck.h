// Bottleneck adapters of a model: made, read from folders and written to them. What model/adapter.h says of all methods holds.
#pragma once

#include <filesystem>

#include "formats/peft.h"
#include "model/config.h"
#include "nn/bottleneck.h"

namespace quern::model {

// Behind the branches that settings.bottleneck names, in all layers but those it leaves out. invalid_argument for an
// activation that there is none of, with those there are; unsupported where what enters would be what a norm makes of the
// residual stream (BlockLayout::post_norm).
Result<nn::BottleneckAdapter> make_bottleneck(const ModelConfig& config, const formats::PeftConfig& settings,
                                              uint64_t seed);

// Errors of PeftFolder::open and make_bottleneck; conflict, with what was expected and what came, where it is one of another
// model; unsupported for tensors that are no bottlenecks.
Result<nn::BottleneckAdapter> load_bottleneck(const ModelConfig& config, const formats::PeftFolder& folder);

// Writes a folder that load_bottleneck and AdapterHub's library read; f32.
Result<void> save_bottleneck(const nn::BottleneckAdapter& adapter, const ModelConfig& config,
                             formats::PeftConfig settings, const std::filesystem::path& folder);

}  // namespace quern::model
