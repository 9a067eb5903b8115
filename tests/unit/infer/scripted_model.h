// Models whose every next token is known, and a tokenizer of bytes, so that tests can say what is generated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "infer/loaded_model.h"
#include "model/decoder.h"
#include "model/family.h"
#include "nn/parameter.h"
#include "text/bpe_trainer.h"
#include "text/own_chat_form.h"

namespace quern::infer {

// Every byte is a token (no merges); the special tokens come first: <|endoftext|> and the markers of a chat.
inline text::Tokenizer byte_tokenizer(bool chat = true) {
  text::BpeTrainOptions options;
  if (chat) {
    for (const std::string& marker : text::own_chat_markers()) options.special_tokens.push_back(marker);
  }
  options.vocab_size = 256 + static_cast<int64_t>(options.special_tokens.size());
  std::optional<std::string_view> text = "text";
  return text::train_bpe([&] { return std::exchange(text, std::nullopt); }, options, null_progress()).value();
}

// After a sequence of n tokens this model says script[n - 1], whatever they are: one position is one axis of
// the hidden state, which the head maps to the token.
inline model::Decoder scripted_model(const std::vector<int32_t>& script, int64_t vocab) {
  model::ModelConfig config = model::find_family("gpt2").value()->defaults();
  const auto positions = static_cast<int64_t>(script.size());
  config.vocab_size = vocab;
  config.layers = 1;
  config.heads = 1;
  config.hidden = positions;
  config.max_positions = positions;
  config.tied_embeddings = false;
  model::Decoder model = model::Decoder::create(config, 1).value();
  model.visit([&](const std::string& name, nn::Parameter& parameter) {
    const auto values = parameter.master().span<float>();
    std::ranges::fill(values, name == "final_norm.weight" ? 1.0f : 0.0f);
    for (size_t p = 0; p < script.size(); ++p) {
      if (name == "position.weight") values[p * script.size() + p] = 1.0f;
      if (name == "head.weight") values[static_cast<size_t>(script[p]) * script.size() + p] = 10.0f;
    }
  });
  return model;
}

}  // namespace quern::infer
