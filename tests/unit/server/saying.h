// Models to serve in tests, whose every answer is known.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/served_model.h"
#include "text/own_chat_form.h"
#include "unit/infer/scripted_model.h"

namespace quern::server {

// A model that says `text` and ends, whatever it is asked.
inline ServedModel saying(const std::string& name, const std::string& text, size_t prompt) {
  const text::Tokenizer tokenizer = infer::byte_tokenizer();
  std::vector<int32_t> script(prompt - 1, 0);
  for (const int32_t token : tokenizer.encode(text)) script.push_back(token);
  script.resize(script.size() + 8, *tokenizer.token_to_id("<|end|>"));
  const auto loaded = std::make_shared<const infer::LoadedModel>(
      infer::LoadedModel{{.tokenizer = tokenizer,
                          .templates = text::own_chat_form(),
                          .end_tokens = {*tokenizer.token_to_id("<|end|>")}},
                         infer::scripted_model(script, tokenizer.vocab_size())});
  ServedModel model = serve_model(name, loaded, {}, 1024).value();
  model.created = 7;
  return model;
}

}  // namespace quern::server
