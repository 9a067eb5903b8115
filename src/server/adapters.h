// /v1/adapters: adapters that are loaded and unloaded while the server runs.
#pragma once

#include <filesystem>
#include <functional>

#include "server/model_table.h"
#include "server/router.h"

namespace quern::server {

struct AdapterRoutes {
  std::filesystem::path folder = {};   // whose adapters may be loaded; empty: none
  std::function<void()> changed = {};  // after one was loaded or unloaded; may be empty
};

// GET /v1/adapters, POST with {"name", "path", "model"} to load one from below the folder, DELETE /v1/adapters/{name}; and
// vLLM's /v1/load_lora_adapter and /v1/unload_lora_adapter. Where keys are set, changes are for administrators. `models` must
// outlive the router.
void add_adapters(Router& router, const ModelTable& models, AdapterRoutes routes);

}  // namespace quern::server
