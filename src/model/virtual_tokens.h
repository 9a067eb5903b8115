// Soft prompts and prefixes of a model: made, read from PEFT folders and written to them. What model/adapter.h says of all
// methods holds.
#pragma once

#include <filesystem>
#include <span>

#include "formats/peft.h"
#include "model/decoder.h"
#include "nn/prefix.h"
#include "nn/soft_prompt.h"

namespace quern::model {

Result<nn::SoftPrompt> make_prompt(const Decoder& model, int64_t tokens, std::span<const int32_t> text,
                                   uint64_t seed);
// With a projection its parameters are random, and there is nothing for a text to be.
Result<nn::Prefix> make_prefix(const Decoder& model, const formats::PeftVirtualTokens& tokens,
                               std::span<const int32_t> text, uint64_t seed);

// Errors of PeftFolder::open; conflict, with what was expected and what came, for those of another model, and where they leave
// no room for a text in its context.
Result<nn::SoftPrompt> load_prompt(const ModelConfig& config, const formats::PeftFolder& folder);
Result<nn::Prefix> load_prefix(const ModelConfig& config, const formats::PeftFolder& folder);

Result<void> save_prompt(const nn::SoftPrompt& prompt, const ModelConfig& config,
                         formats::PeftConfig settings, const std::filesystem::path& folder);
Result<void> save_prefix(const nn::Prefix& prefix, const ModelConfig& config, formats::PeftConfig settings,
                         const std::filesystem::path& folder, bool final);

}  // namespace quern::model
