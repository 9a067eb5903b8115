// POST /api/embed and /api/embeddings of Ollama's API
#pragma once

#include <memory>

#include "server/http_message.h"
#include "server/model_table.h"

namespace quern::server {

// {"input": text or texts, "truncate", "dimensions"} -> {"embeddings"}; of the older route, {"prompt"} -> {"embedding"}.
// Texts that are too long are cut unless "truncate" is false. Throws what it refuses as Exception.
void ollama_embed(const ModelTable& models, const HttpRequest& request,
                  const std::shared_ptr<HttpReply>& reply);

}  // namespace quern::server
