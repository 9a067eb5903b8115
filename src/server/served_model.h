// A model that answers requests, under the name that clients call it by.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine_thread.h"
#include "grammar/grammar_cache.h"
#include "server/caller.h"

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

struct ServedModel {
  std::string name;
  int64_t created = 0;  // seconds since 1970
  std::shared_ptr<const infer::LoadedModel> loaded;
  std::shared_ptr<engine::EngineThread> engine;
  std::shared_ptr<Forms> forms = {};
};

// An engine for `loaded`, in a thread of its own, under `name`. Errors of Engine::create.
Result<ServedModel> serve_model(std::string name, std::shared_ptr<const infer::LoadedModel> loaded,
                                const engine::EngineOptions& options, int64_t most_waiting);

// The models of a server, the default first. Thread-safe once it is made.
class ModelTable {
 public:
  void add(ServedModel model) { models_.push_back(std::move(model)); }
  const std::vector<ServedModel>& all() const { return models_; }
  // The only model where no name is given. not_found names those there are; permission where `caller`, if there is one,
  // may not use it.
  Result<const ServedModel*> find(const std::string& name, const Caller* caller) const;

  // Who counts the tokens that callers used.
  using Meter = std::function<void(const Caller& caller, int64_t tokens)>;
  void set_meter(Meter meter) { meter_ = std::move(meter); }
  // Counts an answer of `caller`; empty where nobody is known or counts.
  std::function<void(const engine::Usage&)> meter(const std::shared_ptr<const Caller>& caller) const;

 private:
  Result<const ServedModel*> find(const std::string& name) const;

  std::vector<ServedModel> models_;
  Meter meter_;
};

// Bytes of a token as they appear in text, behind another one.
std::string token_text(const text::Tokenizer& tokenizer, int32_t token);

}  // namespace quern::server
