// What Ollama's /api/generate and /api/chat are asked, in the words of /v1/chat/completions.
#pragma once

#include <optional>
#include <string>

#include "server/chat_call.h"

namespace quern::server {

enum class OllamaRoute { generate, chat };

struct OllamaRequest {
  OllamaRoute route = OllamaRoute::chat;
  ModelLease model = {};
  std::optional<ChatCall> call = {};  // none: the client only wants the model to be there
  bool unload = false;                // or gone
};

// invalid_argument for wrong values, and for what no model here does: images, suffixes, templates of clients. Errors of
// read_chat and read_plain.
Result<OllamaRequest> read_ollama_request(OllamaRoute route, const Json& body, const ModelTable& models,
                                          const Caller* caller);

// The model of a request: "name:latest" is "name" where that is served.
Result<ModelChoice> find_ollama_model(const Json& body, const ModelTable& models, const Caller* caller);
// Its "keep_alive": how long it stays when nobody asks, in seconds or as "5m"; below 0: for ever. True where it is to go at once.
Result<bool> keep_ollama_model(const Json& body, const ServedModel& model, const ModelTable& models);

}  // namespace quern::server
