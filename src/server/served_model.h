// A model that answers requests, under the name that clients call it by.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "engine/encoder_thread.h"
#include "engine/engine_thread.h"
#include "grammar/grammar_cache.h"
#include "infer/sentence_form.h"
#include "server/adapter_table.h"

namespace quern::server {

// What answers of one model are held to. The vocabulary is prepared for it when the first request asks: most models never
// need it. Thread-safe.
class Forms {
 public:
  explicit Forms(std::shared_ptr<const infer::LoadedModel> loaded) : loaded_(std::move(loaded)) {}

  // Errors of infer::make_vocabulary and grammar::compile.
  Result<std::shared_ptr<grammar::TokenMasks>> get(const grammar::Constraint& constraint);

 private:
  std::shared_ptr<const infer::LoadedModel> loaded_;
  std::once_flag prepared_;
  std::optional<Error> failure_;
  std::optional<grammar::GrammarCache> grammars_;
};

class ModelMetrics;

// An encoder that is asked for vectors, or, where its head has one label for pairs of texts, for scores.
struct ServedEncoder {
  std::shared_ptr<const infer::LoadedEncoder> loaded;
  infer::SentenceForm form;  // of vectors
  std::shared_ptr<engine::EncoderThread> thread;

  bool scores_pairs() const;
};

// A decoder, which has `loaded`, `engine`, `forms` and `adapters`; or an encoder, which has none of them.
struct ServedModel {
  std::string name;
  int64_t created = 0;  // seconds since 1970
  std::shared_ptr<const infer::LoadedModel> loaded;
  std::shared_ptr<engine::EngineThread> engine;
  std::shared_ptr<Forms> forms = {};
  std::shared_ptr<AdapterTable> adapters = {};
  std::shared_ptr<const ServedEncoder> encoder = {};
  std::shared_ptr<ModelMetrics> metrics = {};  // null: nobody measures

  // "decoder", "encoder" or "cross-encoder".
  std::string_view kind() const;
  const text::Tokenizer& tokenizer() const {
    return encoder ? encoder->loaded->tokenizer : loaded->tokenizer;
  }
  int64_t context() const;  // tokens of a text at most
  int64_t bytes() const;    // memory of weights and cache
  // invalid_argument, with what it is for, unless it is a decoder, or an encoder.
  Result<void> expect_decoder() const;
  Result<void> expect_encoder() const;
};

// An engine for `loaded`, in a thread of its own, under `name`. Errors of Engine::create.
Result<ServedModel> serve_model(std::string name, std::shared_ptr<const infer::LoadedModel> loaded,
                                const engine::EngineOptions& options, int64_t most_waiting);

// An encoder in a thread of its own. invalid_argument where the model cannot make vectors of `form`.
Result<ServedModel> serve_encoder(std::string name, std::shared_ptr<const infer::LoadedEncoder> loaded,
                                  infer::SentenceForm form, int64_t most_waiting);

// Bytes of a token as they appear in text, behind another one.
std::string token_text(const text::Tokenizer& tokenizer, int32_t token);

}  // namespace quern::server
