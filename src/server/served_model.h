// A model that answers requests, under the name that clients call it by.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine_thread.h"

namespace quern::server {

struct ServedModel {
  std::string name;
  int64_t created = 0;  // seconds since 1970
  std::shared_ptr<const infer::LoadedModel> loaded;
  std::shared_ptr<engine::EngineThread> engine;
};

// The models of a server, the default first. Thread-safe once it is made.
class ModelTable {
 public:
  void add(ServedModel model) { models_.push_back(std::move(model)); }
  const std::vector<ServedModel>& all() const { return models_; }
  // The only model where no name is given. not_found names those there are.
  Result<const ServedModel*> find(const std::string& name) const;

 private:
  std::vector<ServedModel> models_;
};

// Bytes of a token as they appear in text, behind another one.
std::string token_text(const text::Tokenizer& tokenizer, int32_t token);

}  // namespace quern::server
