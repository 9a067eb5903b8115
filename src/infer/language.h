// What stands between people and a model's tokens: its tokenizer, chat templates, end tokens and how its
// makers sample.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "infer/sampling_defaults.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace quern::infer {

struct Language {
  text::Tokenizer tokenizer;
  text::ChatTemplates templates = {};
  std::vector<int32_t> end_tokens = {};   // each ends an answer
  std::vector<int32_t> listed_ends = {};  // those of them that the model's files list
  // Put before a rendered conversation: the beginning-of-text token where a GGUF file asks for one and the
  // template does not write it. Hugging Face folders leave it to the template.
  std::optional<int32_t> chat_bos = {};
  SamplingDefaults sampling = {};
};

// Of a Hugging Face folder, a training run, or a GGUF file (any file of a split one). Errors of
// formats::ModelFolder::open, Tokenizer::load, make_tokenizer and ChatTemplates::load.
Result<Language> open_language(const std::filesystem::path& path);

// Replaces the chat templates by one, in Jinja, with the end of turn that it writes. Errors of
// ChatTemplates::add.
Result<void> use_template(Language& language, std::string_view source);

// Whether the tokenizer puts a beginning-of-text token before texts.
bool adds_bos(const text::Tokenizer& tokenizer);

// The tokens of a rendered conversation; special tokens only where the template wrote them.
std::vector<int32_t> encode_chat(const Language& language, const text::ChatPrompt& prompt);

}  // namespace quern::infer
