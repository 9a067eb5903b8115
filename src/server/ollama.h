// Ollama's API (its docs/api.md): /api/generate, /api/chat, /api/embed, /api/tags, /api/show,
// /api/ps, /api/version.
#pragma once

#include "server/model_table.h"
#include "server/router.h"

namespace quern::server {

// Adds its routes, which refuse in Ollama's way. `models` must outlive the router.
void add_ollama(Router& router, const ModelTable& models);

}  // namespace quern::server
