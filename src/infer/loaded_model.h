// A model opened for use: weights, and the tokenizer, chat templates and end tokens that belong to them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/load.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace quern::infer {

// How its makers sample from a model (generation_config.json).
struct SamplingDefaults {
  std::optional<double> temperature = {}, top_p = {}, min_p = {}, typical_p = {}, repetition_penalty = {};
  std::optional<int64_t> top_k = {};
};

struct LoadedModel {
  model::Decoder model;
  text::Tokenizer tokenizer;
  text::ChatTemplates templates = {};
  std::vector<int32_t> end_tokens = {};  // each ends an answer
  // Put before a rendered conversation: the beginning-of-text token where a GGUF file asks for one and the template
  // does not write it. Hugging Face folders leave it to the template.
  std::optional<int32_t> chat_bos = {};
  SamplingDefaults sampling = {};
};

// A Hugging Face folder, a training run, or a GGUF file (any file of a split one). Errors of load_model,
// Tokenizer::load, make_tokenizer and ChatTemplates::load; conflict when the tokenizer has more tokens than the
// model.
Result<LoadedModel> open_model(const std::filesystem::path& path, DType compute_dtype);

// Replaces the chat templates by one, in Jinja, with the end of turn that it writes. Errors of ChatTemplates::add.
Result<void> use_template(LoadedModel& loaded, std::string_view source);

// The tokens of a rendered conversation; special tokens only where the template wrote them.
std::vector<int32_t> encode_chat(const LoadedModel& loaded, const text::ChatPrompt& prompt);

}  // namespace quern::infer
